import Host

/// Which host user (or group) stands for which of the guest's, where the server runs as root.
package struct IDMap: Equatable, Sendable {
  /// None at all: every id is itself.
  package var ranges: [IDRange]

  package init(_ ranges: [IDRange] = []) { self.ranges = ranges }

  /// What the guest sees of ids that no range has (`/proc/sys/kernel/overflowuid`).
  package static let overflow: UInt32 = 65534

  package func guest(_ host: UInt32) -> UInt32 {
    if ranges.isEmpty { return host }
    for range in ranges where host >= range.host && host - range.host < range.count {
      return range.guest &+ (host - range.host)
    }
    return IDMap.overflow
  }

  /// Nil where no range has it.
  package func host(_ guest: UInt32) -> UInt32? {
    if ranges.isEmpty { return guest }
    for range in ranges where guest >= range.guest && guest - range.guest < range.count {
      return range.host &+ (guest - range.guest)
    }
    return nil
  }
}
