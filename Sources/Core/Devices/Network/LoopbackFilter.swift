/// Which frames go to a loopback address. On a wire there are none (RFC 1122, 3.2.1.3; RFC 4291, 2.5.3), but who turns frames
/// into sockets may take the address for its own host's, as versions of passt do.
package enum LoopbackFilter {
  /// So many bytes of a frame tell: Ethernet's header and IPv6's.
  package static let prefixSize = ethernetSize + 40

  private static let ethernetSize = 14

  /// - Parameter frame: the first ``prefixSize`` bytes, or a whole frame that is shorter.
  /// - Returns: whether it may go on. One that is cut short within the address may not.
  package static func passes(_ frame: Span<UInt8>) -> Bool {
    guard frame.count >= ethernetSize else { return true }
    switch (frame[12], frame[13]) {
    case (0x08, 0x00):  // IPv4: the destination is at 16 (RFC 791, 3.1).
      guard frame.count >= ethernetSize + 20 else { return false }
      // connect(2) takes 0.0.0.0 for the own host.
      let network = frame[ethernetSize + 16]
      return network != 127 && network != 0
    case (0x86, 0xdd):  // IPv6: at 24 (RFC 8200, 3).
      guard frame.count >= prefixSize else { return false }
      // ::1, :: (which connect(2) takes for it) and IPv4's in IPv6's, which are for sockets alone (RFC 4291, 2.5.5.2).
      let address = ethernetSize + 24
      for index in 0..<10 where frame[address + index] != 0 { return true }
      let next = (frame[address + 10], frame[address + 11])
      if next == (0xff, 0xff) { return false }
      guard next == (0, 0) else { return true }
      for index in 12..<15 where frame[address + index] != 0 { return true }
      return frame[address + 15] > 1
    default: return true
    }
  }
}
