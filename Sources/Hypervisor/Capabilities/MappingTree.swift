import FramePool

/// What enters mappings into tables, and has memory for them.
package protocol MappingTables {
  /// Memory for a mapping of `space`, charged to its owner; nil where there is no more.
  mutating func allocate(_ space: Reference<Space>) -> Reference<Mapping>?
  mutating func free(_ mapping: Reference<Mapping>)
  /// Enters a new mapping; false where tables want memory that is not there, and nothing stays entered then.
  mutating func enter(_ mapping: Reference<Mapping>) -> Bool
  /// Enters the rights that the mapping has now, which are fewer than before.
  mutating func restrict(_ mapping: Reference<Mapping>)
  /// A mapping without parent goes: so does what it stood for.
  mutating func retire(_ mapping: Reference<Mapping>)
}

/// Delegation and revocation, over the mappings of all domains.
package enum MappingTree {
  /// How deep delegations go: it bounds the walks.
  package static let depthLimit: UInt8 = 255
  /// How many mappings one step of a revocation changes.
  package static let step = 32

  /// Enters what a domain has from nobody: a new object, or the kernel's resources. False where something is there already,
  /// or there is no memory for it.
  package static func plant(_ mapping: Reference<Mapping>, _ tables: inout some MappingTables) -> Bool {
    guard mapping.object.space.object.insert(mapping) else { return false }
    guard tables.enter(mapping) else {
      mapping.object.space.object.remove(mapping)
      return false
    }
    return true
  }

  package enum Failure: Error { case noMemory }

  /// Gives `1 << order` pages, ports or selectors from `source` of one space to another, at `target`, with at most `rights`.
  /// What the sender has not, and what the receiver has something at already, is left out.
  package static func delegate(
    from sender: Reference<Space>, _ source: UInt64, to receiver: Reference<Space>, _ target: UInt64, order: UInt64,
    rights: UInt64, attributes: UInt8, _ tables: inout some MappingTables
  ) throws(Failure) {
    let end = source &+ 1 << order
    var address = source
    while let found = sender.object.first(endingAfter: address), found.object.base < end {
      let parent = found.object
      address = parent.end
      let rights = UInt64(parent.rights) & rights
      guard rights != 0, parent.depth < depthLimit else { continue }
      // Both are aligned, so one lies within the other.
      let start = max(parent.base, source)
      let common = min(UInt64(parent.order), order)
      guard let new = tables.allocate(receiver) else { throw .noMemory }
      new.object = Mapping(
        space: receiver, base: start &- source &+ target, source: parent.source &+ (start &- parent.base),
        order: common, rights: rights, attributes: attributes | parent.attributes)
      guard receiver.object.insert(new) else {
        tables.free(new)
        continue
      }
      guard tables.enter(new) else {
        receiver.object.remove(new)
        tables.free(new)
        throw .noMemory
      }
      new.object.parent = found
      new.object.depth = parent.depth &+ 1
      new.object.previous = found
      new.object.next = found.object.next
      found.object.next?.object.previous = new
      found.object.next = new
    }
  }

  /// Takes `rights` from all that came from what a space has within a range, and with `itself` also from that. A mapping that
  /// reaches beyond the range is taken as a whole. Without rights a mapping goes, unless `keep` holds it in the tree.
  ///
  /// Returns false where there is more to do, after a number of steps; whoever comes again goes on.
  package static func revoke(
    _ space: Reference<Space>, _ base: UInt64, order: UInt64, rights: UInt8, itself: Bool, keep: Bool = false,
    _ tables: inout some MappingTables
  ) -> Bool {
    let end = base &+ 1 << order
    var address = base
    var left = step
    while let top = space.object.first(endingAfter: address), top.object.base < end {
      address = top.object.end
      let low = max(top.object.base, base) &- top.object.base &+ top.object.source
      let size: UInt64 = 1 << min(UInt64(top.object.order), order)
      guard revoke(below: top, low, size, rights, itself, keep, &left, &tables) else { return false }
      guard itself, top.object.rights & rights != 0 || (top.object.rights == 0 && !keep) else { continue }
      top.object.rights &= ~rights
      tables.restrict(top)
      if top.object.rights == 0, !keep { remove(top, &tables) }
      left -= 1
      guard left > 0 else { return false }
    }
    return true
  }

  private static func revoke(
    below top: Reference<Mapping>, _ low: UInt64, _ size: UInt64, _ rights: UInt8, _ all: Bool, _ keep: Bool,
    _ left: inout Int, _ tables: inout some MappingTables
  ) -> Bool {
    let depth = top.object.depth
    var cursor = top
    var within = true
    while true {
      let next = cursor.object.next
      let isLeaf = next.map { $0.object.depth <= cursor.object.depth } ?? true
      if isLeaf, cursor != top, cursor.object.rights == 0, !keep, let previous = cursor.object.previous {
        remove(cursor, &tables)
        left -= 1
        cursor = previous
        guard left > 0 else { return false }
        continue
      }
      guard let next, next.object.depth > depth else { return true }
      if next.object.depth == depth &+ 1 {
        within = all || (next.object.source < low &+ size && low < next.object.source &+ next.object.count)
      }
      if within, next.object.rights & rights != 0 {
        next.object.rights &= ~rights
        tables.restrict(next)
        left -= 1
      }
      cursor = next
      guard left > 0 else { return false }
    }
  }

  /// Takes a mapping from which nothing came out of both structures.
  private static func remove(_ mapping: Reference<Mapping>, _ tables: inout some MappingTables) {
    mapping.object.space.object.remove(mapping)
    mapping.object.previous?.object.next = mapping.object.next
    mapping.object.next?.object.previous = mapping.object.previous
    if mapping.object.parent == nil { tables.retire(mapping) } else { tables.free(mapping) }
  }

  /// Where a receiver has what `space` has at `address`, if that came from it: the nearest mapping on the way up.
  package static func translate(
    _ space: Reference<Space>, _ address: UInt64, for receiver: Reference<Space>
  ) -> (found: Reference<Mapping>, ancestor: Reference<Mapping>)? {
    guard let found = space.object.find(address) else { return nil }
    var at = found.object.parent
    while let mapping = at {
      if mapping.object.space == receiver { return (found, mapping) }
      at = mapping.object.parent
    }
    return nil
  }

  /// Some mapping of a space, for whoever empties it.
  package static func any(_ space: Reference<Space>) -> Reference<Mapping>? { space.object.root }
}
