import Testing

@testable import Chipset

@Suite struct WaitingQueuesTests {
  @Test func eachOnce() {
    var waiting = WaitingQueues()
    #expect(waiting.isEmpty)
    for queue: UInt32 in [31, 3, 0, 3, 32, .max] { waiting.mark(queue) }
    var turn = waiting.take()
    #expect(waiting.isEmpty)
    var served: [Int] = []
    while let queue = turn.next() { served.append(queue) }
    #expect(served == [0, 3, 31])
  }

  /// A driver that never lets a queue be empty.
  @Test func whatIsMarkedMeanwhileWaits() {
    var waiting = WaitingQueues()
    waiting.markAll()
    var turn = waiting.take()
    var served = 0
    while let queue = turn.next() {
      served += 1
      waiting.mark(UInt32(queue))
    }
    #expect(served == 32)
    #expect(!waiting.isEmpty)
  }
}
