internal import Virtio

/// Feature bits of a disk (Virtio 1.2, 5.2.3): VIRTIO_BLK_F_…
extension Features {
  static let segmentSize = Features(rawValue: 1 << 1)  // SIZE_MAX
  static let segmentLimit = Features(rawValue: 1 << 2)  // SEG_MAX
  static let readOnly = Features(rawValue: 1 << 5)  // RO
  static let blockSize = Features(rawValue: 1 << 6)  // BLK_SIZE
  static let flush = Features(rawValue: 1 << 9)  // FLUSH
  static let topology = Features(rawValue: 1 << 10)  // TOPOLOGY
  static let cacheChoice = Features(rawValue: 1 << 11)  // CONFIG_WCE
  static let manyBlockQueues = Features(rawValue: 1 << 12)  // MQ
  static let discard = Features(rawValue: 1 << 13)  // DISCARD
  static let writeZeroes = Features(rawValue: 1 << 14)  // WRITE_ZEROES
}
