import GuestMemory
import Testing
import Virtio
import VirtioTesting

@testable import Devices

struct EntropyDeviceTests {
  private let memory = FakeGuestMemory(size: 1 << 20)

  @Test func fillsWhatItIsGiven() throws {
    let driver = DriverQueue(memory, size: 8)
    let device = EntropyDevice(source: CountingBytes())
    driver.offer([.writable(0x8000, 16), .writable(0x9000, 4)])
    driver.offer([.writable(0xa000, 3)], indirect: true)
    try device.process(driver.deviceSide)
    #expect(driver.reap()?.written == 20)
    #expect(driver.reap()?.written == 3)
    #expect(try memory.read(count: 17, at: 0x8000) == (1...16).map { $0 } + [0])
    #expect(try memory.read(count: 4, at: 0x9000) == [17, 18, 19, 20])
    #expect(try memory.read(count: 3, at: 0xa000) == [21, 22, 23])
    #expect(driver.reap() == nil)
  }

  @Test func requestsAreBounded() throws {
    let driver = DriverQueue(memory, size: 8)
    driver.offer([.writable(0x8000, 0x80000)])
    try EntropyDevice(source: CountingBytes()).process(driver.deviceSide)
    #expect(driver.reap()?.written == EntropyDevice.fillLimit)
  }

  @Test func drySourceGivesWhatItHas() throws {
    let driver = DriverQueue(memory, size: 8)
    let source = CountingBytes()
    source.left = 5
    driver.offer([.writable(0x8000, 4), .writable(0x9000, 4), .writable(0xa000, 4)])
    try EntropyDevice(source: source).process(driver.deviceSide)
    #expect(driver.reap()?.written == 5)
    #expect(source.calls == 2)
  }

  @Test func waitsUntilTheSourceIsReady() throws {
    let driver = DriverQueue(memory, size: 8)
    let source = CountingBytes()
    source.isReady = false
    let device = EntropyDevice(source: source)
    driver.offer([.writable(0x8000, 16)])
    try device.process(driver.deviceSide)
    #expect(driver.reap() == nil)
    source.isReady = true
    source.resume?()
    try device.process(driver.deviceSide)
    #expect(driver.reap()?.written == 16)
  }

  @Test func readableBufferIsAFault() {
    let driver = DriverQueue(memory, size: 8)
    driver.offer([.readable(0x8000, 4), .writable(0x9000, 4)])
    #expect(throws: QueueFault.request) {
      try EntropyDevice(source: CountingBytes()).process(driver.deviceSide)
    }
  }
}

final class CountingBytes: EntropySource {
  var left = Int.max
  var calls = 0
  var isReady = true
  var resume: (() -> Void)?
  private var next: UInt8 = 0

  func isReady(_ resume: @escaping () -> Void) -> Bool {
    if !isReady { self.resume = resume }
    return isReady
  }

  func fill(_ slice: GuestSlice) -> Int {
    calls += 1
    let count = min(slice.count, left)
    left -= count
    for offset in 0..<count {
      next &+= 1
      try! slice.store(next, at: offset)
    }
    return count
  }
}
