import GuestMemory
import Testing
import VirtioTesting

@testable import Devices
@testable import Machine
@testable import Virtio

struct QuickWritesTests {
  private let writes = QuickWrites()

  private func write(bytes: Int) throws -> BlockRequest {
    let memory = FakeGuestMemory(size: 1 << 20)
    let request = BlockRequest(queue: 0)
    request.chain.append(readable: try memory.slice(at: 0, count: BlockRequest.headerSize + bytes))
    request.findData()
    request.set(.write(offset: 0, isDurable: false))
    return request
  }

  @Test func onesThatWaitAreLeftToOthersForAWhile() throws {
    let request = try write(bytes: 4096)
    #expect(writes.takes(request))
    writes.took(QuickWrites.timeLimit)
    #expect(writes.takes(request))
    writes.took(QuickWrites.timeLimit + 1)
    for _ in 0..<QuickWrites.pause { #expect(!writes.takes(request)) }
    #expect(writes.takes(request))
  }

  @Test func onlySmallWritesThatNeedNotBeDurable() throws {
    #expect(try writes.takes(write(bytes: QuickWrites.sizeLimit)))
    #expect(try !writes.takes(write(bytes: QuickWrites.sizeLimit + 512)))
    let request = try write(bytes: 512)
    request.set(.write(offset: 0, isDurable: true))
    #expect(!writes.takes(request))
    request.set(.flush)
    #expect(!writes.takes(request))
  }
}
