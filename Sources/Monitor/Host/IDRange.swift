/// Which users or groups of the host stand for the guest's: `count` ids from `guest` on in the guest are those from `host`
/// on.
package struct IDRange: Equatable, Sendable {
  package var guest: UInt32
  package var host: UInt32
  package var count: UInt32

  package init(guest: UInt32, host: UInt32, count: UInt32) {
    self.guest = guest
    self.host = host
    self.count = count
  }

  /// Reads `GUEST:HOST:COUNT`; nil for anything else, and where the last id would not be one.
  package init?(_ text: String) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 3, let guest = UInt32(parts[0]), let host = UInt32(parts[1]), let count = UInt32(parts[2]),
      count > 0, count - 1 <= .max - guest, count - 1 <= .max - host
    else { return nil }
    self.init(guest: guest, host: host, count: count)
  }

  /// As ``init(_:)`` reads it.
  package var description: String { "\(guest):\(host):\(count)" }
}
