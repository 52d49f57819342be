/// The fields that a tree has in a machine's state (docs/state-format.md, "Trees").
enum TreeField {
  static let isMounted: UInt16 = 1
  static let minor: UInt16 = 2
  static let flags: UInt16 = 3
  static let isStateless: UInt16 = 4
  static let listingSeed: UInt16 = 5
  static let started: UInt16 = 6
  static let moments: UInt16 = 7
  static let layers: UInt16 = 8

  // Columns with a value for each node.
  static let ids: UInt16 = 16
  static let lookups: UInt16 = 17
  static let kinds: UInt16 = 18
  static let inodes: UInt16 = 19
  static let parents: UInt16 = 20
  static let names: UInt16 = 21
  static let devices: UInt16 = 22
  static let hostInodes: UInt16 = 23
  static let ranks: UInt16 = 24
  static let writeRanks: UInt16 = 25
  static let seen: UInt16 = 26

  // Columns of the nodes that have something.
  static let lowerParts: UInt16 = 27
  static let aliases: UInt16 = 28
  static let origins: UInt16 = 29
  static let links: UInt16 = 30
  static let keptChanges: UInt16 = 31
  static let opens: UInt16 = 32

  static let free: UInt16 = 33
  static let window: UInt16 = 34
  static let ranges: UInt16 = 35
  static let removed: UInt16 = 36
}

/// What a state says of a node in one number: the type, as in the upper four bits of a mode, and more.
struct NodeKind {
  static let isMappable: UInt16 = 1 << 4
  static let mayBeSealed: UInt16 = 1 << 5
  /// A directory that is there from the start.
  static let isPinned: UInt16 = 1 << 6
  /// It is found by its object on the host, which has other names.
  static let isLinked: UInt16 = 1 << 7
  /// And by that which it was copied up from.
  static let isLinkedByOrigin: UInt16 = 1 << 8
  /// A directory of which no layer shows anything.
  static let isBare: UInt16 = 1 << 9
  private static let all: UInt16 = 1 << 10 - 1

  let rawValue: UInt16

  init(rawValue: UInt16) { self.rawValue = rawValue }

  init(type: UInt32, _ bits: (UInt16, Bool)...) {
    rawValue = bits.reduce(UInt16(truncatingIfNeeded: type >> 12) & 15) { $1.1 ? $0 | $1.0 : $0 }
  }

  func has(_ bit: UInt16) -> Bool { rawValue & bit != 0 }

  var type: UInt32 { UInt32(rawValue & 15) << 12 }

  /// Whether it is of one of the types that there are, without what nobody knows.
  var isKnown: Bool { rawValue & ~Self.all == 0 && [1, 2, 4, 6, 8, 10, 12].contains(rawValue & 15) }
}
