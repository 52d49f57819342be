/// Which region of which device answers an address of the bus's memory.
package struct MemoryDecoder {
  package struct Entry: Equatable {
    package let device: Int
    package let region: BaseAddress
    package let address: UInt64
  }

  /// What the host bridge passes on to the bus. A region that lies partly outside answers nowhere.
  private let windows: [Range<UInt64>]
  private var entries: [Entry] = []

  package init(windows: [Range<UInt64>]) { self.windows = windows }

  /// Software has put a region at `address`, or nowhere.
  ///
  /// - Returns: where it answers from now on.
  @discardableResult
  package mutating func move(_ region: BaseAddress, of device: Int, to address: UInt64?) -> UInt64? {
    entries.removeAll { $0.device == device && $0.region == region }
    guard let address, windows.contains(where: { $0.holds(address, region.size) }) else { return nil }
    entries.append(Entry(device: device, region: region, address: address))
    return address
  }

  /// The region that holds `width` bytes at `address`; of several the one that has been there longest.
  package func find(_ address: UInt64, width: Int) -> Entry? {
    entries.first { ($0.address..<$0.address &+ $0.region.size).holds(address, UInt64(width)) }
  }
}

extension Range<UInt64> {
  /// Whether `count` bytes from `address` on lie in the range.
  fileprivate func holds(_ address: UInt64, _ count: UInt64) -> Bool {
    contains(address) && count <= upperBound - address
  }
}
