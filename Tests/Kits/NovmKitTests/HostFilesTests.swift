import AgentProtocol
import Foundation
import Host
import HostTesting
import Testing

@testable import NovmKit

/// Files of the host on their way to a guest, out of directories that others write too.
struct HostFilesTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func send(_ path: String) throws {
    let null = try FileDescriptor.open("/dev/null", O_WRONLY)
    let stream = FileStreamWriter(null.raw) { _ in }
    try HostFiles(Array(path.utf8), followsLink: false).send(to: stream)
    stream.flush()
  }

  @Test func whatTookTheNameIsNotOpened() throws {
    let (file, fifo) = (directory.path + "/d/f", directory.path + "/d/fifo")
    try FileManager.default.createDirectory(atPath: directory.path + "/d", withIntermediateDirectories: true)
    try Data([1]).write(to: URL(fileURLWithPath: file))
    try #require(mkfifo(fifo, 0o644) == 0)
    let watch = try #require(OpenWatch(fifo))
    let swapper = Swapper(file, fifo)
    for _ in 0..<2000 { try? send(directory.path + "/d") }
    swapper.end()
    #expect(!watch.hasSeenOne)
  }

  /// One path has to reach a file; the stack has nothing to do with it.
  @Test func whatIsTooDeepIsSaid() throws {
    try FileManager.default.createDirectory(atPath: directory.path + "/deep", withIntermediateDirectories: true)
    DeepTree.make(directory.path + "/deep", depth: 5000)
    #expect(throws: NovmError.self) { try send(directory.path + "/deep") }
    let raw = try FileDescriptor.open(directory.path, OpenFlags.directory)
    try DirectoryRemoval.removeContents(of: raw.raw, isForced: false)
  }
}
