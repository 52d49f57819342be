import Foundation
import HostTesting
import Testing

@testable import Host

/// A directory that others write too, as a share's is: what was looked at is what is changed and opened.
struct OtherWritersTests {
  private let scratch: Scratch

  private final class Scratch: Sendable {
    let path = NSTemporaryDirectory() + "novm-others-\(UUID().uuidString)"
    init() throws {
      for name in ["in", "out"] {
        try FileManager.default.createDirectory(atPath: "\(path)/\(name)", withIntermediateDirectories: true)
      }
    }
    deinit { try? FileManager.default.removeItem(atPath: path) }
  }

  init() throws { scratch = try Scratch() }

  private static func mode(_ path: String) -> UInt32 {
    var status = stat()
    return lstat(path, &status) == 0 ? status.st_mode & 0o7777 : 0
  }

  private static let (file, itself): ([UInt8], [UInt8]) = (Array("f".utf8) + [0], FileCalls.itself)

  @Test(arguments: [true, false]) func aModeNeverFollowsALink(_ isOld: Bool) throws {
    let path = scratch.path
    try Data().write(to: URL(fileURLWithPath: path + "/in/f"))
    try Data().write(to: URL(fileURLWithPath: path + "/out/secret"))
    try #require(chmod(path + "/out/secret", 0o600) == 0 && symlink("../out/secret", path + "/in/l") == 0)
    let swapper = Swapper(path + "/in/f", path + "/in/l")
    defer { swapper.end() }
    let work: @Sendable () throws -> Int = {
      let directory = try FileDescriptor.open(path + "/in", OpenFlags.directoryPath)
      var links = 0
      for _ in 0..<10_000 {
        do throws(Errno) {
          try FileCalls.changeMode(directory.raw, Self.file.span, 0o4777)
        } catch {
          if error == .notSupported { links += 1 }
        }
      }
      return links
    }
    let links = isOld ? try OldHost.without(OldHost.fchmodat2, work) : try work()
    #expect(links > 0)
    #expect(Self.mode(path + "/out/secret") == 0o600)
  }

  @Test func modesWithoutFchmodat2() throws {
    let path = scratch.path
    try Data().write(to: URL(fileURLWithPath: path + "/in/f"))
    try #require(symlink("f", path + "/in/l") == 0)
    try OldHost.without(OldHost.fchmodat2) {
      let directory = try FileDescriptor.open(path + "/in", OpenFlags.directoryPath)
      try FileCalls.changeMode(directory.raw, Self.file.span, 0o4755)
      #expect(Self.mode(path + "/in/f") == 0o4755)
      let place = try FileCalls.openBeneath(directory.raw, Self.file.span, OpenFlags.path)
      try FileCalls.changeMode(place.raw, Self.itself.span, 0o640)
      #expect(Self.mode(path + "/in/f") == 0o640)
      let link = Array("l".utf8) + [0]
      #expect(throws: Errno.notSupported) { try FileCalls.changeMode(directory.raw, link.span, 0o777) }
      try FileCalls.changeMode(directory.raw, Self.itself.span, 0o711)
      #expect(Self.mode(path + "/in") == 0o711)
      #expect(Self.mode(path + "/in/f") == 0o640)
    }
  }

  /// It would be the directory's own.
  @Test func aNameTooLongHasNoAttributes() throws {
    let directory = try FileDescriptor.open(scratch.path + "/in", OpenFlags.directoryPath)
    let (long, name) = ([UInt8](repeating: 0x61, count: 300) + [0], Array("user.a".utf8) + [0])
    #expect(throws: Errno.self) { try FileCalls.setAttribute(directory.raw, long.span, name, [1]) }
    #expect(try FileCalls.attributeNames(directory.raw) == [])
    #expect(throws: Errno.self) { try FileCalls.setAttribute(AT_FDCWD, Self.itself.span, name, [1]) }
  }

  @Test func onlyRegularFilesAreOpened() throws {
    let path = scratch.path + "/in"
    try #require(mkfifo(path + "/fifo", 0o644) == 0 && symlink("fifo", path + "/link") == 0)
    try #require(mkdir(path + "/directory", 0o755) == 0)
    try Data().write(to: URL(fileURLWithPath: path + "/f"))
    let directory = try FileDescriptor.open(path, OpenFlags.directoryPath)
    let watch = try #require(OpenWatch(path + "/fifo"))
    for text in ["fifo", "link", "directory"] {
      let name = Array(text.utf8) + [0]
      #expect(throws: Errno.stale) { _ = try FileCalls.openRegular(directory.raw, name.span, OpenFlags.read).raw }
    }
    #expect(!watch.hasSeenOne)
    #expect(throws: Errno.stale) {
      _ = try FileCalls.openRegular(directory.raw, Self.file.span, OpenFlags.read) { _ in false }.raw
    }
    let file = try FileCalls.openRegular(directory.raw, Self.file.span, OpenFlags.readWrite)
    #expect(try FileCalls.write(file.raw, at: 0, [1], count: 1) == 1)
    // The watch does see what is opened.
    close(open(path + "/fifo", O_RDONLY | O_NONBLOCK))
    #expect(watch.hasSeenOne)
  }
}
