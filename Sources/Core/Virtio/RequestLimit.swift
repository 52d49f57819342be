/// The most that a device takes for one request. A driver that offers more breaks the rules.
package struct RequestLimit: Equatable, Sendable {
  /// Entries of an indirect table. Linux makes such tables longer than the queue (Virtio 1.2, 2.7.5.3.1, says that it must
  /// not), so this is what the largest request of the kind of device needs. A chain in the ring has at most the queue's size.
  package let descriptors: Int
  /// Bytes in all buffers of a chain; at most 2^32.
  package let bytes: Int

  package init(descriptors: Int, bytes: Int) {
    self.descriptors = min(max(descriptors, 1), 32768)
    self.bytes = min(bytes, 1 << 32)
  }
}
