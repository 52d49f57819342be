import GuestMemory

/// What a driver can get wrong about a queue. The device then needs a reset (Virtio 1.2, 2.1.2); nothing else is touched.
package enum QueueFault: Error, Equatable, Sendable {
  /// A ring or a buffer lies outside RAM or is misaligned.
  case memory(GuestMemoryError)
  /// The queue's size is zero, no power of two, or beyond the device's maximum.
  case size(UInt16)
  /// The available index ran ahead of the used index by more than the queue holds, so that a chain was offered in the place of one
  /// that is still with the device.
  case availableIndex(UInt16)
  /// A descriptor index outside its table.
  case descriptorIndex(UInt16)
  /// A chain with more descriptors than its table, so a loop.
  case chainTooLong
  /// More bytes in one chain than any request of the device has.
  case chainTooLarge
  /// A device-readable descriptor after a device-writable one.
  case readableAfterWritable
  /// An indirect table that is nested, chained, empty, no multiple of 16 bytes, or longer than any request of the device needs; or
  /// one that was not negotiated.
  case indirectTable
  /// A request that breaks the rules of this kind of device.
  case request
}
