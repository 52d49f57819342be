/// A CRD: a range of memory pages, I/O ports or object selectors, with rights.
package struct CapabilityRange: Equatable {
  package enum Kind: UInt64 {
    case none = 0
    case memory = 1
    case ports = 2
    case objects = 3
  }

  package var rawValue: UInt64
  package static let null = Self(rawValue: 0)

  package init(rawValue: UInt64) { self.rawValue = rawValue }

  package init(_ kind: Kind, base: UInt64, order: UInt64, rights: UInt64 = Right.all) {
    rawValue = base << 12 | (order & 0x1f) << 7 | (rights & 0x1f) << 2 | kind.rawValue
  }

  package var kind: Kind { Kind(rawValue: rawValue & 3) ?? .none }
  package var rights: UInt64 { rawValue >> 2 & 0x1f }
  package var order: UInt64 { rawValue >> 7 & 0x1f }
  /// The first page, port or selector; a multiple of the range's size.
  package var base: UInt64 { rawValue >> 12 & ~((1 << order) &- 1) }

  /// What a window of the receiver's and this range have in common: a base on each side and an order. Of the larger one, the
  /// hotspot chooses the part.
  package func meeting(_ window: CapabilityRange, hotspot: UInt64) -> (source: UInt64, target: UInt64, order: UInt64) {
    let common = min(order, window.order)
    let low: UInt64 = (1 << common) &- 1
    let high: UInt64 = (1 << max(order, window.order)) &- 1
    let part = hotspot & high & ~low
    if order < window.order { return (base, window.base | part, common) }
    return (base | part, window.base, common)
  }
}
