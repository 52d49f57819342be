/// Feature bits (Virtio 1.2, 2.2). Bits 0 to 23 and from 50 on belong to the kind of device.
package struct Features: OptionSet, Equatable, Sendable {
  package let rawValue: UInt64

  package init(rawValue: UInt64) { self.rawValue = rawValue }

  /// VIRTIO_F_INDIRECT_DESC
  package static let indirectDescriptors = Features(rawValue: 1 << 28)
  /// VIRTIO_F_EVENT_IDX
  package static let eventIndex = Features(rawValue: 1 << 29)
  /// VIRTIO_F_VERSION_1
  package static let version1 = Features(rawValue: 1 << 32)

  /// What every device offers.
  package static let common: Features = [.indirectDescriptors, .eventIndex, .version1]
}
