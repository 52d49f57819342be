import FramePool

/// That a domain has a range of memory, ports or one object, from where, and with which rights.
///
/// Two structures at once: an ordered tree of its space's mappings (a treap), and the list of all mappings that came from one,
/// depth first, in which those that came from a mapping follow it with a greater depth.
package struct Mapping {
  /// The space that has it.
  package var space: Reference<Space>
  /// The first page, port or selector there; a multiple of its size.
  package var base: UInt64
  /// What it stands for: the first physical page, the port, or the object's capability without rights.
  package var source: UInt64
  package var order: UInt8
  package var rights: UInt8
  /// How it is entered in tables: the item's bits 8 to 10, shifted down.
  package var attributes: UInt8
  package var depth: UInt8 = 0
  var weight: UInt32 = 0

  var left: Reference<Mapping>?
  var right: Reference<Mapping>?
  var previous: Reference<Mapping>?
  var next: Reference<Mapping>?
  package internal(set) var parent: Reference<Mapping>?

  package init(
    space: Reference<Space>, base: UInt64, source: UInt64, order: UInt64 = 0, rights: UInt64, attributes: UInt8 = 0
  ) {
    self.space = space
    self.base = base
    self.source = source
    self.order = UInt8(truncatingIfNeeded: order)
    self.rights = UInt8(truncatingIfNeeded: rights)
    self.attributes = attributes
  }

  package var count: UInt64 { 1 << UInt64(order) }
  package var end: UInt64 { base &+ count }
}

/// The mappings of one kind that a domain has, in order.
package struct Space {
  /// Whose it is, for whoever enters mappings into tables.
  package let owner: UInt64
  package let kind: UInt8
  var root: Reference<Mapping>?
  package internal(set) var count: UInt64 = 0

  package init(owner: UInt64, kind: UInt8) {
    self.owner = owner
    self.kind = kind
  }
}
