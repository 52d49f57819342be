internal import GuestMemory
internal import Virtio

/// Which frames the driver wants, by their destination (Virtio 1.2, 5.1.6.5.1 and 5.1.6.5.2).
/// A class, since each frame would copy a structure with its tables.
final class NetworkFilter {
  /// The most addresses of one table; a driver that asks for more gets all of that kind.
  static let tableLimit = 64

  /// What CTRL_RX switches.
  var isPromiscuous = true
  var allMulticast = false
  var allUnicast = false
  var noMulticast = false
  var noUnicast = false
  var noBroadcast = false
  /// Addresses besides the card's own.
  private var unicast: [UInt64] = []
  private var multicast: [UInt64] = []
  private var overflowsUnicast = false
  private var overflowsMulticast = false

  init() {}

  /// Whether the driver wants a frame to `destination`. The card's own address is `own`.
  func accepts(_ destination: UInt64, own: UInt64) -> Bool {
    if isPromiscuous { return true }
    if destination == HardwareAddress.broadcast { return !noBroadcast }
    if HardwareAddress.isMulticast(destination) {
      return !noMulticast && (allMulticast || overflowsMulticast || multicast.contains(destination))
    }
    return !noUnicast && (allUnicast || overflowsUnicast || destination == own || unicast.contains(destination))
  }

  // MARK: State

  /// All that is on or off, as bits.
  var switches: UInt16 {
    get {
      var bits: UInt16 = 0
      let all = [
        isPromiscuous, allMulticast, allUnicast, noMulticast, noUnicast, noBroadcast, overflowsUnicast,
        overflowsMulticast,
      ]
      for (index, isOn) in all.enumerated() where isOn { bits |= 1 << UInt16(index) }
      return bits
    }
    set {
      isPromiscuous = newValue & 1 != 0
      allMulticast = newValue & 2 != 0
      allUnicast = newValue & 4 != 0
      noMulticast = newValue & 8 != 0
      noUnicast = newValue & 16 != 0
      noBroadcast = newValue & 32 != 0
      overflowsUnicast = newValue & 64 != 0
      overflowsMulticast = newValue & 128 != 0
    }
  }

  var unicastTable: [UInt8] { unicast.flatMap(HardwareAddress.bytes) }
  var multicastTable: [UInt8] { multicast.flatMap(HardwareAddress.bytes) }

  /// - Returns: false, having done nothing, for what is no tables of addresses.
  func restoreTables(_ unicast: [UInt8], _ multicast: [UInt8]) -> Bool {
    guard unicast.count % HardwareAddress.size == 0, multicast.count % HardwareAddress.size == 0 else { return false }
    func addresses(_ bytes: [UInt8]) -> [UInt64] {
      stride(from: 0, to: bytes.count, by: HardwareAddress.size).map { HardwareAddress.value(bytes, at: $0) }
    }
    self.unicast = addresses(unicast)
    self.multicast = addresses(multicast)
    return true
  }

  /// Takes two tables, each a le32 count and that many addresses; false, with nothing changed, if they are cut short.
  func setTables(_ data: [UInt8]) -> Bool {
    guard let (unicast, next) = Self.table(data, at: 0), let (multicast, end) = Self.table(data, at: next),
      end == data.count
    else { return false }
    overflowsUnicast = unicast.count > Self.tableLimit
    overflowsMulticast = multicast.count > Self.tableLimit
    self.unicast = overflowsUnicast ? [] : unicast
    self.multicast = overflowsMulticast ? [] : multicast
    return true
  }

  private static func table(_ data: [UInt8], at offset: Int) -> (addresses: [UInt64], end: Int)? {
    guard data.count - offset >= 4 else { return nil }
    var count = 0
    for index in 0..<4 { count |= Int(data[offset + index]) << (8 * index) }
    let start = offset + 4
    guard count <= (data.count - start) / HardwareAddress.size else { return nil }
    var addresses: [UInt64] = []
    addresses.reserveCapacity(count)
    for index in 0..<count {
      addresses.append(HardwareAddress.value(data, at: start + HardwareAddress.size * index))
    }
    return (addresses, start + HardwareAddress.size * count)
  }
}

/// Ethernet addresses as numbers, the first byte the highest.
enum HardwareAddress {
  static let size = 6
  static let broadcast: UInt64 = 0xffff_ffff_ffff

  static func isMulticast(_ address: UInt64) -> Bool { address >> 40 & 1 == 1 }

  /// - Parameter offset: six bytes from there on are in `bytes`.
  static func value(_ bytes: [UInt8], at offset: Int = 0) -> UInt64 {
    var value: UInt64 = 0
    for index in 0..<size { value = value << 8 | UInt64(bytes[offset + index]) }
    return value
  }

  static func bytes(_ address: UInt64) -> [UInt8] {
    var bytes: [UInt8] = []
    for index in 0..<size { bytes.append(UInt8(truncatingIfNeeded: address >> (8 * UInt64(size - 1 - index)))) }
    return bytes
  }

  /// The address at `offset` of `slices`; nil if they end before.
  static func load(_ slices: [GuestSlice], at offset: Int) -> UInt64? {
    if let first = slices.first, first.count >= offset + size {
      guard let high = try? first.load(UInt32.self, at: offset), let low = try? first.load(UInt16.self, at: offset + 4)
      else { return nil }
      return UInt64(high.byteSwapped) << 16 | UInt64(low.byteSwapped)
    }
    return slices.bytes(at: offset, count: size).map { value($0) }
  }
}
