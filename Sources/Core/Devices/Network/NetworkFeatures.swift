internal import Virtio

/// Feature bits of a network card (Virtio 1.2, 5.1.3): VIRTIO_NET_F_…
extension Features {
  static let sendChecksum = Features(rawValue: 1 << 0)  // CSUM
  static let receiveChecksum = Features(rawValue: 1 << 1)  // GUEST_CSUM
  static let controlReceiveOffloads = Features(rawValue: 1 << 2)  // CTRL_GUEST_OFFLOADS
  static let maximumTransmissionUnit = Features(rawValue: 1 << 3)  // MTU
  static let hardwareAddress = Features(rawValue: 1 << 5)  // MAC
  static let receiveTCP4 = Features(rawValue: 1 << 7)  // GUEST_TSO4
  static let receiveTCP6 = Features(rawValue: 1 << 8)  // GUEST_TSO6
  static let receiveCongestion = Features(rawValue: 1 << 9)  // GUEST_ECN
  static let sendTCP4 = Features(rawValue: 1 << 11)  // HOST_TSO4
  static let sendTCP6 = Features(rawValue: 1 << 12)  // HOST_TSO6
  static let sendCongestion = Features(rawValue: 1 << 13)  // HOST_ECN
  static let mergeableBuffers = Features(rawValue: 1 << 15)  // MRG_RXBUF
  static let linkStatus = Features(rawValue: 1 << 16)  // STATUS
  static let controlQueue = Features(rawValue: 1 << 17)  // CTRL_VQ
  static let controlFilter = Features(rawValue: 1 << 18)  // CTRL_RX
  static let controlExtraFilter = Features(rawValue: 1 << 20)  // CTRL_RX_EXTRA
  static let manyQueues = Features(rawValue: 1 << 22)  // MQ
  static let controlHardwareAddress = Features(rawValue: 1 << 23)  // CTRL_MAC_ADDR
}

extension NetworkOffloads {
  /// The bits with which a driver may be told of them, in both directions.
  var features: Features {
    var features: Features = []
    for (offload, send, receive) in Self.pairs where contains(offload) {
      features.formUnion([send, receive])
    }
    return features
  }

  /// What a driver with these features takes of undone frames. CTRL_GUEST_OFFLOADS uses the same bits (5.1.6.5.6).
  init(receivedWith features: Features) {
    var offloads: NetworkOffloads = []
    for (offload, _, receive) in Self.pairs where features.contains(receive) { offloads.insert(offload) }
    self = offloads.consistent
  }

  private static var pairs: [(NetworkOffloads, send: Features, receive: Features)] {
    [
      (.checksum, .sendChecksum, .receiveChecksum),
      (.tcp4, .sendTCP4, .receiveTCP4),
      (.tcp6, .sendTCP6, .receiveTCP6),
      (.congestion, .sendCongestion, .receiveCongestion),
    ]
  }
}
