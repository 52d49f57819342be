import Foundation
import HostTesting
import Testing

@testable import Packs

/// A store of packs and a directory to make them of, for one test.
final class PackScratch {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  var path: String { directory.path }
  var source: String { "\(path)/source" }
  var store: PackStore { PackStore(directory: "\(path)/packs") }

  func shell(_ script: String) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/bash")
    process.arguments = ["-euc", script]
    process.currentDirectoryURL = URL(fileURLWithPath: path)
    try process.run()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0, "\(script)")
  }

  @discardableResult
  func create(
    _ name: String, from path: String? = nil, replacing: Bool = false, exclude: [String] = []
  ) throws -> Pack {
    let patterns = try PathPatterns(exclude: exclude.map { Array($0.utf8) })
    return try store.create(name, origin: "test", replacing: replacing) { (builder) throws(PackError) in
      try DirectorySource(Array((path ?? source).utf8), patterns: patterns).read(into: builder)
    }
  }

  /// All that the store has but files.
  func left() throws -> [String] {
    try ["new", "gone", "packs", "names"].flatMap { part in
      try Names.list("\(store.directory)/\(part)").map { "\(part)/\($0)" }
    }
  }

  func objects() throws -> Int {
    try Names.list("\(store.directory)/objects").reduce(0) {
      try $0 + Names.list("\(store.directory)/objects/\($1)").count
    }
  }
}
