import Foundation
import Host
import HostTesting
import Testing

@testable import Store

struct TreeRemovalTests {
  let scratch: TemporaryDirectory

  init() throws { scratch = try TemporaryDirectory() }

  private func exists(_ path: String) -> Bool {
    var status = stat()
    return lstat(path, &status) == 0
  }

  @Test func removesFilesLinksFIFOsAndDirectories() throws {
    let tree = scratch.path + "/tree"
    for directory in ["a/b", "a/c/d", "e"] {
      try FileManager.default.createDirectory(atPath: "\(tree)/\(directory)", withIntermediateDirectories: true)
    }
    for file in ["a/1", "a/b/2", "e/3"] {
      #expect(FileManager.default.createFile(atPath: "\(tree)/\(file)", contents: nil))
    }
    #expect(symlink("nowhere", "\(tree)/a/link") == 0)
    #expect(mkfifo("\(tree)/e/fifo", 0o600) == 0)
    try TreeRemoval.remove(tree)
    #expect(!exists(tree))
  }

  @Test func followsNoLink() throws {
    let outside = scratch.path + "/outside"
    let tree = scratch.path + "/tree"
    for directory in [outside, tree] { #expect(mkdir(directory, 0o755) == 0) }
    #expect(FileManager.default.createFile(atPath: "\(outside)/precious", contents: nil))
    #expect(symlink(outside, "\(tree)/directory") == 0)
    #expect(symlink("\(outside)/precious", "\(tree)/file") == 0)
    try TreeRemoval.remove(tree)
    #expect(!exists(tree))
    #expect(exists("\(outside)/precious"))
  }

  @Test func removesALinkRatherThanItsTarget() throws {
    let outside = scratch.path + "/outside"
    #expect(mkdir(outside, 0o755) == 0)
    #expect(symlink(outside, scratch.path + "/link") == 0)
    try TreeRemoval.remove(scratch.path + "/link")
    #expect(exists(outside))
    #expect(!exists(scratch.path + "/link"))
  }

  @Test func opensWhatTheGuestClosed() throws {
    let tree = scratch.path + "/tree"
    try FileManager.default.createDirectory(atPath: "\(tree)/a/b", withIntermediateDirectories: true)
    #expect(chmod("\(tree)/a/b", 0) == 0 && chmod("\(tree)/a", 0o100) == 0 && chmod(tree, 0o500) == 0)
    try TreeRemoval.remove(tree)
    #expect(!exists(tree))
  }

  /// Names that are no UTF-8, and the longest that Linux has.
  @Test func takesNamesAsBytes() throws {
    let tree = scratch.path + "/tree"
    #expect(mkdir(tree, 0o755) == 0)
    for name in [[0xff, 0xfe], [0x0a], [0x2e, 0x2e, 0x2e], [UInt8](repeating: 0x80, count: 255)] as [[UInt8]] {
      let path = Array("\(tree)/".utf8) + name + [0]
      let result = path.withUnsafeBytes { mkdir($0.baseAddress!.assumingMemoryBound(to: CChar.self), 0o755) }
      #expect(result == 0)
    }
    try TreeRemoval.remove(tree)
    #expect(!exists(tree))
  }

  /// Deeper than PATH_MAX reaches, and than descriptors would be open.
  @Test func goesAsDeepAsTheTree() throws {
    let tree = scratch.path + "/tree"
    #expect(mkdir(tree, 0o755) == 0)
    var directory = open(tree, O_RDONLY | O_DIRECTORY)
    for _ in 0..<3000 {
      #expect(mkdirat(directory, "d", 0o755) == 0)
      let next = openat(directory, "d", O_RDONLY | O_DIRECTORY)
      close(directory)
      directory = next
    }
    close(directory)
    try TreeRemoval.remove(tree)
    #expect(!exists(tree))
  }

  /// What the processor has to do for each directory does not grow with how many there are.
  @Test func manyInOne() throws {
    func now() -> Int {
      var time = timespec()
      clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
      return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }
    func time(_ count: Int) throws -> Int {
      let tree = scratch.path + "/tree"
      #expect(mkdir(tree, 0o755) == 0)
      for number in 0..<count { #expect(mkdir("\(tree)/\(number)", 0o755) == 0) }
      let start = now()
      try TreeRemoval.remove(tree)
      return now() - start
    }
    _ = try time(100)
    let (few, many) = (try time(2000), try time(32_000))
    #expect(many < few * 64, "\(few) ns for 2,000, \(many) for 32,000")
  }

  @Test func whatIsNotThereIsRemoved() throws {
    try TreeRemoval.remove(scratch.path + "/none")
  }

  /// Two commands that sweep at the same time remove the same tree.
  @Test func twoAtOnce() async throws {
    let tree = scratch.path + "/tree"
    for directory in 0..<100 {
      try FileManager.default.createDirectory(atPath: "\(tree)/\(directory)/x", withIntermediateDirectories: true)
    }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<4 { group.addTask { try TreeRemoval.remove(tree) } }
      try await group.waitForAll()
    }
    #expect(!exists(tree))
  }

  /// Whether the host's file system has flags at all.
  private static var hasFlags: Bool {
    guard let scratch = try? TemporaryDirectory() else { return false }
    let descriptor = open(scratch.path, O_RDONLY)
    defer { close(descriptor) }
    return (try? InodeFlags.get(descriptor)) != nil
  }

  @Test(.needsRoot, .needs(ofHost: "a file system with flags", hasFlags)) func flagsDoNotKeepIt() throws {
    let scratch = try TemporaryDirectory()
    let (tree, file) = (scratch.path + "/tree", scratch.path + "/tree/d/file")
    try FileManager.default.createDirectory(atPath: tree + "/d", withIntermediateDirectories: true)
    #expect(FileManager.default.createFile(atPath: file, contents: nil))
    for path in [file, tree + "/d"] {
      let descriptor = open(path, O_RDONLY)
      defer { close(descriptor) }
      try InodeFlags.set(descriptor, try InodeFlags.get(descriptor) | InodeFlags.locked)
    }
    try TreeRemoval.remove(tree)
    #expect(!FileManager.default.fileExists(atPath: tree))
  }
}
