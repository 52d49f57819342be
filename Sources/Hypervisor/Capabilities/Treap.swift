import FramePool

// A space's mappings, ordered by base, none of which overlap. Balanced by weights that are as good as random: the expected
// depth is logarithmic whatever a program does, as it does not know them.

extension Space {
  nonisolated(unsafe) private static var seed: UInt64 = 0x9e37_79b9_7f4a_7c15

  private static func weight() -> UInt32 {
    unsafe seed ^= seed &<< 13
    unsafe seed ^= seed &>> 7
    unsafe seed ^= seed &<< 17
    return unsafe UInt32(truncatingIfNeeded: seed &>> 32)
  }

  /// The first mapping that ends behind `address`: the one that has it, or else the next.
  package func first(endingAfter address: UInt64) -> Reference<Mapping>? {
    var found: Reference<Mapping>?
    var at = root
    while let node = at {
      if node.object.end > address {
        found = node
        at = node.object.left
      } else {
        at = node.object.right
      }
    }
    return found
  }

  /// The mapping that has `address`.
  package func find(_ address: UInt64) -> Reference<Mapping>? {
    var at = root
    while let node = at {
      if address < node.object.base {
        at = node.object.left
      } else if address >= node.object.end {
        at = node.object.right
      } else {
        return node
      }
    }
    return nil
  }

  /// Whether nothing was there: mappings are never replaced.
  mutating func insert(_ new: Reference<Mapping>) -> Bool {
    let base = new.object.base
    if let other = first(endingAfter: base), other.object.base < new.object.end { return false }
    let weight = Space.weight()
    new.object.weight = weight
    // Down to where the weight belongs, which splits what is there.
    var parent: Reference<Mapping>?
    var at = root
    while let node = at, node.object.weight >= weight {
      parent = node
      at = base < node.object.base ? node.object.left : node.object.right
    }
    var smaller: Reference<Mapping>?
    var larger: Reference<Mapping>?
    var smallerEnd: Reference<Mapping>?
    var largerEnd: Reference<Mapping>?
    while let node = at {
      if node.object.base < base {
        if let end = smallerEnd { end.object.right = node } else { smaller = node }
        smallerEnd = node
        at = node.object.right
      } else {
        if let end = largerEnd { end.object.left = node } else { larger = node }
        largerEnd = node
        at = node.object.left
      }
    }
    smallerEnd?.object.right = nil
    largerEnd?.object.left = nil
    new.object.left = smaller
    new.object.right = larger
    place(new, below: parent, base)
    count &+= 1
    return true
  }

  private mutating func place(_ node: Reference<Mapping>?, below parent: Reference<Mapping>?, _ base: UInt64) {
    guard let parent else {
      root = node
      return
    }
    if base < parent.object.base { parent.object.left = node } else { parent.object.right = node }
  }

  /// Takes out a mapping that is there.
  mutating func remove(_ old: Reference<Mapping>) {
    let base = old.object.base
    var parent: Reference<Mapping>?
    var at = root
    while let node = at, node != old {
      parent = node
      at = base < node.object.base ? node.object.left : node.object.right
    }
    guard at != nil else { return }
    // Joins what lies below it, the heavier on top.
    var left = old.object.left
    var right = old.object.right
    var joined: Reference<Mapping>?
    var end: Reference<Mapping>?
    var endIsLeft = false
    func append(_ node: Reference<Mapping>?) {
      guard let at = end else {
        joined = node
        return
      }
      if endIsLeft { at.object.left = node } else { at.object.right = node }
    }
    while let lower = left, let upper = right {
      if lower.object.weight >= upper.object.weight {
        append(lower)
        end = lower
        endIsLeft = false
        left = lower.object.right
      } else {
        append(upper)
        end = upper
        endIsLeft = true
        right = upper.object.left
      }
    }
    append(left ?? right)
    place(joined, below: parent, base)
    count &-= 1
  }
}
