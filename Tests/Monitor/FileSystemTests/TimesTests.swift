import FUSE
import Foundation
import Host
import Testing

@testable import FileSystem

/// When files were changed, as the guest knows it.
struct TimesTests {
  /// How a session ends after data was written back later than the guest's kernel says that it was written.
  enum Ending: CaseIterable {
    case synchronized, destroyed, unmounted, lost, reset
  }

  /// What was written in the tick in which the file was made has no other time, so the guest sends none.
  @Test(arguments: Ending.allCases) func theTimeOfWritingBackDoesNotCount(_ ending: Ending) throws {
    let layers = Layers()
    let client = try layers.client()
    let (entry, handle) = try client.create("f")
    try #require(client.flags.contains(.writebackCache))
    usleep(50_000)
    // FUSE_WRITE_CACHE
    try client.write(entry.node, handle, 0, [1, 2, 3], flags: 1)
    switch ending {
    case .synchronized: #expect(client.call(.syncfs, 1, [UInt8](repeating: 0, count: 8)).error == 0)
    case .destroyed: client.call(.destroy, 0, [])
    case .reset: client.server.disconnected()
    case .unmounted, .lost: break
    }
    client.server.close(isUnmounted: ending == .unmounted)
    let file = try FileDescriptor.open(Path(layers.upper + "/f"), OpenFlags.read)
    let now = try FileCalls.status(file.raw).modified
    let made = FileTime(seconds: entry.attributes.modified, nanoseconds: entry.attributes.modifiedNanoseconds)
    // Who is lost may have had another time to send: better one too late than one too early.
    #expect((now == made) == (ending != .lost && ending != .reset))
  }
}
