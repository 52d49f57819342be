/// Which addresses were answers for which names, and until when.
struct ResolvedNames {
  private struct Entry {
    var name: DomainName
    var end: UInt64
  }

  private var addresses: [IPv4Address: [Entry]] = [:]

  private static let addressLimit = 1024
  private static let namesOfAddress = 16
  private static let second: UInt64 = 1_000_000_000
  /// Who has just been answered must have time to connect, and no answer lasts for ever.
  private static let leastTime: UInt32 = 5
  private static let mostTime: UInt32 = 86400

  func names(of address: IPv4Address, now: UInt64) -> [DomainName] {
    (addresses[address] ?? []).filter { $0.end > now }.map { $0.name }
  }

  mutating func add(_ name: DomainName, _ address: IPv4Address, seconds: UInt32, now: UInt64) {
    let end = now &+ UInt64(min(max(seconds, Self.leastTime), Self.mostTime)) * Self.second
    var entries = (addresses[address] ?? []).filter { $0.end > now && $0.name != name }
    if entries.count >= Self.namesOfAddress { entries.removeFirst() }
    entries.append(Entry(name: name, end: end))
    if addresses[address] == nil, addresses.count >= Self.addressLimit { makeRoom(now) }
    addresses[address] = entries
  }

  /// Of what has ended, or of what ends first.
  private mutating func makeRoom(_ now: UInt64) {
    var first: (address: IPv4Address, end: UInt64)?
    for (address, entries) in addresses {
      let end = entries.reduce(0) { max($0, $1.end) }
      if end <= now { addresses[address] = nil } else if end < first?.end ?? .max { first = (address, end) }
    }
    if addresses.count >= Self.addressLimit, let first { addresses[first.address] = nil }
  }
}
