import GuestMemory
import Testing
import VirtioTesting

@testable import Virtio

struct VirtQueueTests {
  private let memory = FakeGuestMemory(size: 1 << 20)
  private let limit = RequestLimit(descriptors: 8, bytes: 1 << 20)

  @Test func drainServesAllAndArms() throws {
    let driver = DriverQueue(memory, size: 8)
    for _ in 0..<5 { driver.offer([.writable(0x8000, 10)]) }
    var chain = DescriptorChain()
    var served = 0
    try driver.deviceSide.drain(&chain) { chain in
      served += 1
      // One that comes in while the device is busy is served as well.
      if served == 3 { driver.offer([.writable(0x8000, 1)]) }
      return chain.writableCount
    }
    #expect(served == 6)
    var written: [Int] = []
    while let used = driver.reap() { written.append(used.written) }
    #expect(written == [10, 10, 10, 10, 10, 1])
    driver.offer([.writable(0x8000, 1)])
    #expect(driver.wantsNotification)
  }

  @Test func driverThatNeverStopsIsPutOff() throws {
    let driver = DriverQueue(memory, size: 8)
    let notifier = CountingNotifier()
    driver.deviceSide.notifier = notifier
    driver.offer([.writable(0x8000, 1)])
    var chain = DescriptorChain()
    var served = 0
    func serve() throws(QueueFault) {
      try driver.deviceSide.drain(&chain) { _ in
        served += 1
        _ = driver.reap()
        driver.offer([.writable(0x8000, 1)])
        return 0
      }
    }
    try serve()
    #expect(served == 32 && notifier.queues == [0])
    try serve()
    #expect(served == 64 && notifier.queues == [0, 0])
  }

  @Test(arguments: [(1, 1, 100), (1000, 1, 10), (10, 50, 3)] as [(UInt32, Int, Int)])
  func turnsEndByBytesAndPieces(length: UInt32, pieces: Int, most: Int) throws {
    let driver = DriverQueue(memory, size: 128)
    driver.deviceSide.notifier = CountingNotifier()
    for _ in 0..<128 {
      driver.offer([DriverBuffer](repeating: .writable(0x8000, length), count: pieces), indirect: true)
    }
    var chain = DescriptorChain()
    var served = 0
    try driver.deviceSide.drain(&chain, turn: Turn(requests: 100, bytes: 10_000, pieces: 150)) { _ in
      served += 1
      return 0
    }
    #expect(served == most)
  }

  @Test func faultOfARequestLeavesTheChain() {
    let driver = DriverQueue(memory, size: 8)
    driver.offer([.writable(0x8000, 1)])
    var chain = DescriptorChain()
    #expect(throws: QueueFault.request) {
      try driver.deviceSide.drain(&chain) { _ throws(QueueFault) in throw .request }
    }
    #expect(driver.reap() == nil)
  }

  @Test func queueThatIsNotLiveDoesNothing() throws {
    let queue = VirtQueue(index: 3, maximumSize: 8, limit: limit, interrupt: InterruptCounter())
    var chain = DescriptorChain()
    #expect(try !queue.pop(&chain))
    #expect(!queue.hasWork && queue.enableNotifications())
    queue.push(head: 3)
    queue.notifyDriver()
    // Not ready, so not made live.
    try queue.activate(memory, features: .common)
    #expect(!queue.isLive)
  }

  @Test func sizeBeyondTheMaximum() {
    let queue = VirtQueue(index: 0, maximumSize: 8, limit: limit, interrupt: InterruptCounter())
    var layout = SplitQueue.Layout()
    layout.descriptorTable = 0x1000
    layout.availableRing = 0x2000
    layout.usedRing = 0x3000
    queue.configure(size: 16, layout: layout)
    #expect(throws: QueueFault.size(16)) { try queue.activate(memory, features: .common) }
  }
}

private final class CountingNotifier: QueueNotifier {
  var queues: [UInt32] = []
  func notified(queue: UInt32) { queues.append(queue) }
}
