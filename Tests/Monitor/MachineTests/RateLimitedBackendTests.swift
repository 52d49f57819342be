import Devices
import GuestMemory
import Host
import Testing
import VirtioTesting

@testable import Machine

/// What passes a card at once. How it goes on from there is `TokenBucketTests`'.
struct RateLimitedBackendTests {
  private let memory = FakeGuestMemory(size: 1 << 20)
  private let link = FakeLink()

  /// Frames of 100 bytes, in either direction, until one has to wait.
  private func framesAtOnce(rate: UInt64, burst: UInt64) throws -> (received: Int, sent: Int) {
    let backend = try RateLimitedBackend(link, pairs: 1, rate: rate, burst: burst, loop: EventLoop())
    let slices = [try memory.slice(at: 0x1000, count: NetworkHeader.size + 100)]
    link.frames = Array(repeating: [UInt8](repeating: 7, count: 100), count: 1000)
    var counts = (received: 0, sent: 0)
    while backend.receive(pair: 0, into: slices) != .blocked { counts.received += 1 }
    while backend.send(pair: 0, slices) != .blocked { counts.sent += 1 }
    return counts
  }

  /// The header between guest and host is no part of a frame. A byte is left behind ten frames, so that one more passes;
  /// the next would in a tenth of a second.
  @Test func framesCountWithoutTheirHeader() throws {
    let counts = try framesAtOnce(rate: 1024, burst: 1001)
    #expect(counts == (11, 11))
  }

  /// More where this test takes its time.
  @Test func theBurstIsWorthAHundredthOfASecond() throws {
    let counts = try framesAtOnce(rate: 1 << 20, burst: 1)
    #expect((105...900).contains(counts.received) && (105...900).contains(counts.sent))
  }
}
