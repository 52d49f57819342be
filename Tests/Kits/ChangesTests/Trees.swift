import FileSystem
import Foundation
import Host
import Testing

@testable import Changes

/// Host directories for one test, removed when it is over: `lower`, and `upper` over it.
final class Trees {
  let path: String

  init() throws {
    path = FileManager.default.temporaryDirectory.path + "/novm-changes-\(UUID().uuidString)"
    for name in ["lower", "upper"] {
      try FileManager.default.createDirectory(atPath: "\(path)/\(name)", withIntermediateDirectories: true)
    }
  }

  deinit { _ = try? shell("chmod -R u+rwX . ; rm -rf \"$PWD\"") }

  /// Runs commands in the directory of the trees.
  ///
  /// - Returns: what they print.
  @discardableResult
  func shell(_ commands: String) throws -> String {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/bash")
    process.arguments = ["-euc", commands]
    process.currentDirectoryURL = URL(fileURLWithPath: path)
    let pipe = Foundation.Pipe()
    process.standardOutput = pipe
    try process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0, "\(commands)")
    return String(decoding: output, as: UTF8.self)
  }

  /// Gives a file an extended attribute.
  func set(_ attribute: String, _ value: String, on file: String) throws {
    let directory = try FileDescriptor.open(path, OpenFlags.directoryPath)
    let name = Array(file.utf8) + [0]
    try FileCalls.setAttribute(directory.raw, name.span, Array(attribute.utf8) + [0], Array(value.utf8))
  }

  func attributes(of file: String) throws -> String {
    let directory = try FileDescriptor.open(path, OpenFlags.directoryPath)
    let name = Array(file.utf8) + [0]
    let names = try FileCalls.attributeNames(directory.raw, name.span).split(separator: 0)
    return names.map { String(decoding: $0, as: UTF8.self) }.sorted().joined(separator: " ")
  }

  var lower: LayerMap { LayerMap(guestPath: "/", hostPath: "\(path)/lower") }
  var written: WrittenTree { WrittenTree(guest: [UInt8]("/".utf8), host: Array("\(path)/upper".utf8)) }

  func changes(above more: [LayerMap] = [], _ paths: String...) throws -> ChangeSet {
    try ChangeSet(reads: [lower] + more, written: [written], paths: paths.map { Array($0.utf8) })
  }

  /// Kind, path and what differs, a line each.
  func lines(above more: [LayerMap] = [], _ paths: String...) throws -> [String] {
    try ChangeSet(reads: [lower] + more, written: [written], paths: paths.map { Array($0.utf8) }).changes.map {
      "\($0.kind.rawValue) \(String(printable: $0.path)) \($0.file.rawValue)"
        + ($0.parts.isEmpty ? "" : ": \($0.parts.names.joined(separator: " "))")
    }
  }

  /// Makes everything so far older than whatever comes next, by the clock that file times are taken from.
  func baseline() -> FileTime {
    usleep(20_000)
    let now = FileTime.now()
    usleep(20_000)
    return now
  }
}
