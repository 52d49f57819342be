/// `GUEST:HOST:COUNT`: which users or groups of the host stand for the guest's.
package struct IDRange: Equatable, Sendable {
  package var guest: UInt32
  package var host: UInt32
  package var count: UInt32

  package init(guest: UInt32, host: UInt32, count: UInt32) {
    self.guest = guest
    self.host = host
    self.count = count
  }

  package init?(_ text: String) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 3, let guest = UInt32(parts[0]), let host = UInt32(parts[1]), let count = UInt32(parts[2]),
      count > 0, count - 1 <= .max - guest, count - 1 <= .max - host
    else { return nil }
    self.init(guest: guest, host: host, count: count)
  }

  package var description: String { "\(guest):\(host):\(count)" }
}
