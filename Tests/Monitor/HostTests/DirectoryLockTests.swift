import Foundation
import Testing

@testable import Host

struct DirectoryLockTests {
  @Test func oneAtATime() throws {
    let path = FileManager.default.temporaryDirectory.path + "/novm-lock-\(UUID())"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: path) }
    var first: DirectoryLock? = try DirectoryLock(Path(path), patience: 0)
    #expect(throws: Errno.wouldBlock) { try DirectoryLock(Path(path), patience: 50) }
    withExtendedLifetime(first) {}
    first = nil
    _ = try DirectoryLock(Path(path), patience: 0)
    #expect(throws: Errno(ENOENT)) { try DirectoryLock(Path(path + "/none"), patience: 0) }
    #expect(try FileManager.default.contentsOfDirectory(atPath: path).isEmpty)
  }
}
