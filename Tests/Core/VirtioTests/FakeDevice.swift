import Virtio

/// A device of two queues that notes what its transport does with it.
final class FakeDevice: VirtioDevice {
  let id: UInt32 = 42
  let features = Features(rawValue: 1 << 5)
  let queueSizes: [UInt16] = [8, 16]
  let requestLimit = RequestLimit(descriptors: 32, bytes: 1 << 16)
  let configuration: [UInt8] = [1, 2, 3, 4, 5]
  var window: Range<UInt64>?
  var started: [Bool] = []
  var writes: [Int] = []
  var log: FakeOwner?
  private(set) var agreed: Features = []

  func sharedMemory(_ number: UInt32) -> Range<UInt64>? { number == 0 ? window : nil }
  func writeConfiguration(_ value: UInt32, at offset: Int, width: Int) { writes.append(offset) }
  func start(_ queues: [VirtQueue], features: Features) {
    started = queues.map(\.isLive)
    agreed = features
  }
  func process(_ queue: VirtQueue) throws(QueueFault) {}
  func reset() { log?.events.append("device reset") }
}

final class FakeOwner: TransportOwner {
  var events: [String] = []
  var notifications: [UInt32] = []
  func withDevice(_ body: () -> Void) { body() }
  func started() { events.append("started") }
  func stopped() { events.append("stopped") }
  func notified(queue: UInt32) { notifications.append(queue) }
}
