import Foundation
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

  @Test func zerosAreHoles() throws {
    let directory = try TemporaryDirectory()
    try Files.writeSparse([1] + [UInt8](repeating: 0, count: 1 << 20), to: "\(directory.path)/file")
    var status = stat()
    try #require(unsafe stat("\(directory.path)/file", &status) == 0)
    #expect(status.st_size == 1 << 20 + 1)
    #expect(status.st_blocks * 512 < 1 << 18)
  }
}
