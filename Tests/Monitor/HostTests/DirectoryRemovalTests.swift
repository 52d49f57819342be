import Foundation
import HostTesting
import Testing

import class Host.Thread

@testable import Host

struct DirectoryRemovalTests {
  private let scratch: Scratch

  private final class Scratch {
    let path = NSTemporaryDirectory() + "novm-removal-\(UUID().uuidString)"
    let descriptor: FileDescriptor
    init() throws {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
      descriptor = try FileDescriptor.open(path, OpenFlags.directory)
    }
    deinit { try? FileManager.default.removeItem(atPath: path) }
  }

  init() throws { scratch = try Scratch() }

  private static let name = Array("d".utf8) + [0]

  /// On a stack as threads of the monitor have it, and deeper than any path.
  @Test func fewDescriptorsAndLittleStackForAnyDepth() throws {
    let (path, raw) = (scratch.path, scratch.descriptor.raw)
    DeepTree.make(path, depth: 20_000, file: "f")
    var most = 0
    var descent = DirectoryDescent(from: raw)
    for depth in 1...20_000 {
      try descent.enter(Self.name.span)
      if depth % 1000 == 0 { most = max(most, DeepTree.openBelow(path)) }
    }
    #expect(descent.depth == 20_000)
    for depth in (0..<20_000).reversed() {
      try descent.leave()
      if depth % 1000 == 0 { most = max(most, DeepTree.openBelow(path)) }
    }
    #expect(descent.depth == 0 && descent.current == raw)
    #expect(most <= DirectoryDescent.openLevels + 2)
    let thread = try Thread("removal") { try? DirectoryRemoval.removeContents(of: raw, isForced: false) }
    thread.join()
    #expect(try FileCalls.names(raw) == [])
  }

  /// Nobody who moves a directory takes it along to where that is now.
  @Test func theWayBackIsTheWayItCame() throws {
    let path = scratch.path
    DeepTree.make(path, depth: 40)
    try #require(mkdir(path + "/elsewhere", 0o755) == 0)
    var descent = DirectoryDescent(from: scratch.descriptor.raw)
    for _ in 0..<40 { try descent.enter(Self.name.span) }
    let middle = path + String(repeating: "/d", count: 20)
    try #require(rename(middle, path + "/elsewhere/d") == 0)
    let error = #expect(throws: Errno.self) { while descent.depth > 0 { try descent.leave() } }
    #expect(error == .stale && descent.depth < 22)
  }

  @Test func namesAreRemovedWhateverTheyAre() throws {
    let (path, raw) = (scratch.path, scratch.descriptor.raw)
    try #require(mkfifo(path + "/fifo", 0o644) == 0 && symlink("/etc", path + "/link") == 0)
    try FileManager.default.createDirectory(atPath: path + "/d/e/f", withIntermediateDirectories: true)
    try Data([1]).write(to: URL(fileURLWithPath: path + "/d/e/file"))
    for name in ["fifo", "link", "d", "none"] {
      try DirectoryRemoval.remove(raw, Array(name.utf8) + [0], isForced: false)
    }
    #expect(try FileCalls.names(raw) == [])
    #expect(FileManager.default.fileExists(atPath: "/etc/passwd"))
  }

  /// More in one directory than are looked for at once.
  @Test func wideOnes() throws {
    let raw = scratch.descriptor.raw
    for number in 0..<10_000 { try #require(mkdirat(raw, "\(number)", 0o755) == 0) }
    for number in 0..<100 { try #require(mkdirat(raw, "\(number)/x", 0o755) == 0) }
    try DirectoryRemoval.removeContents(of: raw, isForced: false)
    #expect(try FileCalls.names(raw) == [])
  }

  /// Where somebody has a directory and a link to another change places, only the link goes, or the directory.
  @Test func nothingOutsideIsTouched() throws {
    let path = scratch.path
    for name in ["tree/d", "out/d"] {
      try FileManager.default.createDirectory(atPath: "\(path)/\(name)", withIntermediateDirectories: true)
    }
    try Data([1]).write(to: URL(fileURLWithPath: path + "/out/d/kept"))
    try #require(chmod(path + "/out/d", 0o500) == 0)
    for _ in 0..<200 {
      _ = mkdir(path + "/tree", 0o755)
      _ = mkdir(path + "/tree/d", 0o000)
      _ = symlink("../out/d", path + "/tree/l")
      let swapper = Swapper(path + "/tree/d", path + "/tree/l")
      try? DirectoryRemoval.remove(scratch.descriptor.raw, Array("tree".utf8) + [0], isForced: true)
      swapper.end()
    }
    var status = stat()
    #expect(stat(path + "/out/d/kept", &status) == 0 && stat(path + "/out/d", &status) == 0)
    #expect(status.st_mode & 0o7777 == 0o500)
  }
}
