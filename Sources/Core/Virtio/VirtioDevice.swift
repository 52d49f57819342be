import State

/// A device model: what it is, and what it does with its queues.
///
/// A transport negotiates on its behalf. Calls never overlap, except that `process` may run for different queues at once
/// where a device declares `isParallel`.
package protocol VirtioDevice: AnyObject {
  /// The device ID (Virtio 1.2, 5).
  var id: UInt32 { get }

  /// Feature bits of this kind of device; the common ones are added by the transport.
  var features: Features { get }

  /// The most entries each queue may have, so also the number of queues.
  var queueSizes: [UInt16] { get }

  /// What the largest request of this kind of device needs.
  var requestLimit: RequestLimit { get }

  /// Device-specific configuration, as the driver reads it.
  var configuration: [UInt8] { get }

  /// Whether `process` may run for different queues at once.
  var isParallel: Bool { get }

  /// A region of guest-physical space that device and driver share, by its number (Virtio 1.2, 2.10).
  func sharedMemory(_ number: UInt32) -> Range<UInt64>?

  /// The driver writes `value` (`width` bytes: 1, 2, 4) at `offset` of the configuration.
  func writeConfiguration(_ value: UInt32, at offset: Int, width: Int)

  /// The driver is ready: `queues` are live until `reset`. A queue that the driver left out is not live.
  func start(_ queues: [VirtQueue], features: Features)

  /// Does all that can be done on one queue now: the driver notified it, or the device's own backend has news for it.
  ///
  /// - Throws: for a driver that broke the rules; the transport then marks the device as needing a reset.
  func process(_ queue: VirtQueue) throws(QueueFault)

  /// Forgets the driver and all that it had under way.
  func reset()

  /// Adds what the device remembers of its driver, and the heads of the chains that it holds, to a machine's state. Nothing is
  /// under way with the host.
  ///
  /// - Throws: `cannotSave` for a kind of device of which no state can be written, or what stands in the way now.
  func save(to fields: inout FieldWriter) throws(StateError)

  /// Makes the device what it was. It was started with these queues if it was running then; the chains that it held it walks again
  /// (`VirtQueue.walkAgain`), all of them.
  func restore(from fields: inout FieldReader, _ queues: [VirtQueue]) throws(StateError)
}

extension VirtioDevice {
  package var features: Features { [] }
  package var configuration: [UInt8] { [] }
  package var isParallel: Bool { false }
  package func sharedMemory(_ number: UInt32) -> Range<UInt64>? { nil }
  package func writeConfiguration(_ value: UInt32, at offset: Int, width: Int) {}
  package func start(_ queues: [VirtQueue], features: Features) {}
  package func reset() {}
  package func save(to fields: inout FieldWriter) throws(StateError) { throw .cannotSave(device: id) }
  package func restore(from fields: inout FieldReader, _ queues: [VirtQueue]) throws(StateError) {}
}
