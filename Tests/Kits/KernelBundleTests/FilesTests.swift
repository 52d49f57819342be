import Foundation
import HostTesting
import Testing

@testable import KernelBundle

struct FilesTests {
  /// Blocks of 4096 bytes, each zero or not, and an odd end.
  @Test(arguments: [[], [false], [true, false, false, true], [false, true, true, false]])
  func sparseFilesReadTheSame(_ blocks: [Bool]) throws {
    let directory = try TemporaryDirectory()
    let bytes =
      blocks.flatMap { [UInt8](repeating: 0, count: 4095) + [$0 ? 1 : 0] } + [UInt8](repeating: 0, count: 100)
    try Files.writeSparse(bytes, to: "\(directory.path)/file")
    #expect(try directory.read("file") == bytes)
  }

  /// A package may name any.
  @Test func directoriesOfALongPath() throws {
    let directory = try TemporaryDirectory()
    #expect(throws: KernelBundleError.self) {
      try Files.makeDirectories(directory.path + String(repeating: "/a", count: 1 << 20))
    }
    #expect(try directory.names() == [])
    let path = directory.path + String(repeating: "/a", count: 1000)
    try Files.makeDirectories(path)
    try Files.makeDirectories(path)
    try directory.write("file", "x")
    #expect(throws: KernelBundleError.self) { try Files.makeDirectories(directory.path + "/file/d") }
    try Files.copyTree(directory.path + "/a", directory.path + "/b") {}
    #expect(try Files.treeSize(directory.path) == 1)
    #expect(Files.kind(directory.path + "/b" + String(repeating: "/a", count: 999)) == .directory)
    try Files.removeTree(directory.path + "/b")
  }

  @Test func treesAreRemovedToAnyDepth() throws {
    let directory = try TemporaryDirectory()
    try Files.makeDirectories(directory.path + "/tree")
    DeepTree.make(directory.path + "/tree", depth: 5000, name: "d", file: "f")
    try Files.removeTree(directory.path + "/tree")
    try Files.removeTree(directory.path + "/tree")
    #expect(try directory.names() == [])
  }

  @Test func zerosAreHoles() throws {
    let directory = try TemporaryDirectory()
    try Files.writeSparse([1] + [UInt8](repeating: 0, count: 1 << 20), to: "\(directory.path)/file")
    var status = stat()
    try #require(unsafe stat("\(directory.path)/file", &status) == 0)
    #expect(status.st_size == 1 << 20 + 1)
    #expect(status.st_blocks * 512 < 1 << 18)
  }
}
