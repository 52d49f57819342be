/// What a driver may ask on the control queue (Virtio 1.2, 5.1.6.5): VIRTIO_NET_CTRL_…
enum NetworkCommand: Equatable {
  /// The switches of CTRL_RX, and CTRL_RX_EXTRA.
  enum Switch: UInt8 {
    case promiscuous = 0
    case allMulticast = 1
    case allUnicast = 2
    case noMulticast = 3
    case noUnicast = 4
    case noBroadcast = 5
  }

  case filter(Switch, Bool)
  /// Two tables of addresses, not yet looked at.
  case addressTables([UInt8])
  case address(UInt64)
  case pairs(Int)
  case receiveOffloads(UInt64)

  /// Bytes of class and command.
  static let headerSize = 2
  /// No command that is understood is longer: the tables are, with each a few hundred addresses.
  static let sizeLimit = 8192

  /// - Parameter bytes: what the driver sent, without room for the answer; nil for what makes no sense.
  init?(_ bytes: [UInt8]) {
    guard bytes.count >= Self.headerSize else { return nil }
    let data = Array(bytes[Self.headerSize...])
    switch (bytes[0], bytes[1]) {
    case (0, let command):
      guard let which = Switch(rawValue: command), data.count == 1, data[0] <= 1 else { return nil }
      self = .filter(which, data[0] == 1)
    case (1, 0):
      self = .addressTables(data)
    case (1, 1):
      guard data.count == HardwareAddress.size else { return nil }
      self = .address(HardwareAddress.value(data))
    case (4, 0):
      guard data.count == 2 else { return nil }
      self = .pairs(Int(data[0]) | Int(data[1]) << 8)
    case (5, 0):
      guard data.count == 8 else { return nil }
      var bits: UInt64 = 0
      for index in 0..<8 { bits |= UInt64(data[index]) << (8 * UInt64(index)) }
      self = .receiveOffloads(bits)
    default:
      return nil
    }
  }

  /// Answers: VIRTIO_NET_OK and VIRTIO_NET_ERR.
  static let ok: UInt8 = 0
  static let error: UInt8 = 1
}
