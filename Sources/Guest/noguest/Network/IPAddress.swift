import CGuest

/// An address of IPv4 (4 bytes) or IPv6 (16), in network order.
struct IPAddress: Equatable {
  let bytes: Bytes

  /// - Parameter bytes: four or sixteen.
  init(bytes: Bytes) { self.bytes = bytes }

  /// inet_pton(3); nil for what is no address.
  init?(_ text: Bytes) {
    for (family, size) in [(AF_INET, 4), (AF_INET6, 16)] {
      var bytes = Bytes(repeating: 0, count: size)
      let result = unsafe text.withCString { text in
        unsafe bytes.withUnsafeMutableBufferPointer { unsafe inet_pton(family, text, $0.baseAddress) }
      }
      if result == 1 {
        self.bytes = bytes
        return
      }
    }
    return nil
  }

  /// IPv4's and IPv6's.
  static var loopback: [IPAddress] {
    [IPAddress(bytes: [127, 0, 0, 1]), IPAddress(bytes: Bytes(repeating: 0, count: 15) + [1])]
  }

  var family: Int32 { bytes.count == 4 ? AF_INET : AF_INET6 }

  /// As resolv.conf(5) takes it; IPv6 with all its groups.
  var text: Bytes {
    var text: Bytes = []
    if bytes.count == 4 {
      for byte in bytes { text += (text.isEmpty ? "" : ".") + Bytes(decimal: Int(byte)) }
    } else {
      for (index, byte) in bytes.enumerated() {
        if index > 0, index & 1 == 0 { text.append(UInt8(ascii: ":")) }
        for digit in [byte >> 4, byte & 15] {
          text.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
        }
      }
    }
    return text
  }
}

/// An address and how many of its first bits name the network.
struct IPPrefix: Equatable {
  let address: IPAddress
  let length: UInt8

  init(_ address: IPAddress, length: UInt8) {
    self.address = address
    self.length = length
  }

  /// Reads `ADDRESS/LENGTH`; nil for anything else.
  init?(_ text: Bytes) {
    let parts = text.parts(at: UInt8(ascii: "/"))
    guard parts.count == 2, let address = IPAddress(parts[0]), let length = parts[1].decimal,
      length <= UInt32(address.bytes.count * 8)
    else { return nil }
    self.init(address, length: UInt8(length))
  }

  /// IPv4's address of everybody in the network.
  var broadcast: Bytes? {
    guard address.bytes.count == 4, length < 31 else { return nil }
    var bytes = address.bytes
    for bit in Int(length)..<32 { bytes[bit / 8] |= 0x80 >> UInt8(bit % 8) }
    return bytes
  }
}
