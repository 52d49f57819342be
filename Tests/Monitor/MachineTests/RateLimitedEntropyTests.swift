import Host
import Testing
import VirtioTesting

@testable import Machine

struct RateLimitedEntropyTests {
  private let memory = FakeGuestMemory(size: 1 << 16)

  @Test func whatIsMoreComesLater() throws {
    let loop = try EventLoop()
    let source = try RateLimitedEntropy(HostEntropy(), rate: 100_000, loop: loop)
    let slice = try memory.slice(at: 0, count: 4096)
    let started = Timer.now
    var given = 0
    // A tenth of a second's at once; and one request may be under way.
    while given < 30_000 {
      while !source.isReady({ loop.stop() }) { try loop.run() }
      given += source.fill(slice)
    }
    #expect(Timer.now - started >= 150_000_000)
  }
}
