import GuestMemory
import LittleEndian
import Testing
import VirtioTesting

@testable import Devices
@testable import Virtio

/// Requests as large as they may be: what a device does before others on its thread have their turn does not grow with them.
struct TurnTests {
  private let later = Later()

  @Test func balloon() throws {
    final class Host: BalloonBackend {
      var calls = 0
      var bytes = 0
      func release(_ slice: GuestSlice) {
        calls += 1
        bytes += slice.count
      }
      func statisticsCame() {}
    }
    let memory = FakeGuestMemory(size: 1 << 20)
    let host = Host()
    let device = BalloonDevice(memory: memory, backend: host)
    let queues = queues(of: device, memory)
    // Each page by itself.
    let numbers = (0..<UInt32(1024)).flatMap { littleEndian(0xf0 + 2 * ($0 & 1)) }
    try memory.write(numbers, at: 0x8_0000)
    for _ in 0..<64 { queues[0].offer([.readable(0x8_0000, UInt32(numbers.count))]) }
    try device.process(queues[0].deviceSide)
    #expect(host.calls == 1024 && later.isAsked)
    // What one request may not have.
    while queues[0].reap() != nil {}
    queues[0].offer([.readable(0x8_0000, UInt32(numbers.count) + 4)])
    #expect(throws: QueueFault.request) {
      for _ in 0..<64 { try device.process(queues[0].deviceSide) }
    }
    later.isAsked = false
    host.calls = 0
    for _ in 0..<64 { queues[3].offer((0..<32).map { _ in .writable(0x8_0000, 4096) }, indirect: true) }
    try device.process(queues[3].deviceSide)
    #expect(host.calls == 256 && later.isAsked)
  }

  @Test func console() throws {
    let memory = FakeGuestMemory(size: 1 << 20)
    let host = FakeConsole()
    let device = ConsoleDevice(backend: host)
    let queues = queues(of: device, memory)
    for _ in 0..<32 { queues[1].offer([.readable(0x8_0000, 0x8_0000)]) }
    try device.process(queues[1].deviceSide)
    #expect(host.output.count == 0x8_0000 && later.isAsked)
    // More than the memory of a guest may come of the same memory again and again.
    queues[1].offer([DriverBuffer](repeating: .readable(0x8_0000, 0x8_0000), count: 3))
    #expect(throws: QueueFault.chainTooLarge) {
      for _ in 0..<64 { try device.process(queues[1].deviceSide) }
    }
  }

  @Test func network() throws {
    let memory = FakeGuestMemory(size: 1 << 20)
    let link = FakeLink()
    let device = NetworkDevice(address: NetworkDriver.address, mtu: 1500, backend: link)
    let queues = queues(of: device, memory)
    let pieces = [DriverBuffer](repeating: .readable(0x8_0000, 2), count: 64)
    for _ in 0..<256 { queues[1].offer(pieces, indirect: true) }
    try device.process(queues[1].deviceSide)
    #expect(link.outgoing[0]?.count == 128 && later.isAsked)
    later.isAsked = false
    // As many buffers of as many pieces as there can be, which stay with the card from frame to frame.
    for _ in 0..<256 { queues[0].offer(pieces.map { _ in .writable(0x8_0000, 2) }, indirect: true) }
    link.incoming[0] = (0..<256).map { NetworkDriver.frame($0 == 0 ? 16000 : 60) }
    device.readable(pair: 0)
    #expect((link.incoming[0]?.count ?? 0) > 200 && later.isAsked)
  }

  private func queues(of device: any VirtioDevice, _ memory: GuestMemory) -> [DriverQueue] {
    let queues = device.queueSizes.enumerated().map { index, size in
      DriverQueue(memory, size: size, base: 0x1_0000 * UInt64(index), index: index, limit: device.requestLimit)
    }
    for queue in queues { queue.deviceSide.notifier = later }
    device.start(queues.map(\.deviceSide), features: device.features.union(.common))
    return queues
  }
}

private final class Later: QueueNotifier {
  var isAsked = false
  func notified(queue: UInt32) { isAsked = true }
}
