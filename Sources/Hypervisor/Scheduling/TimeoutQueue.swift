import FramePool

/// What waits for a time.
package protocol Timed {
  /// In ticks of the time-stamp counter; 0 while it waits for none.
  var deadline: UInt64 { get set }
  var heapChild: Reference<Self>? { get set }
  var heapNext: Reference<Self>? { get set }
  /// The one before it among its siblings, or its parent.
  var heapPrevious: Reference<Self>? { get set }
}

/// Who waits for a time, the earliest first: a pairing heap, so that many who wait cost nobody else.
package struct TimeoutQueue<Element: Timed> {
  package private(set) var first: Reference<Element>?

  package init() {}

  package mutating func insert(_ element: Reference<Element>, at deadline: UInt64) {
    if element.object.deadline != 0 { remove(element) }
    element.object.deadline = max(deadline, 1)
    element.object.heapChild = nil
    element.object.heapNext = nil
    element.object.heapPrevious = nil
    first = first.map { Self.meld($0, element) } ?? element
  }

  package mutating func remove(_ element: Reference<Element>) {
    guard element.object.deadline != 0 else { return }
    if first == element {
      first = Self.pair(element.object.heapChild)
    } else {
      if let previous = element.object.heapPrevious {
        if previous.object.heapChild == element {
          previous.object.heapChild = element.object.heapNext
        } else {
          previous.object.heapNext = element.object.heapNext
        }
      }
      element.object.heapNext?.object.heapPrevious = element.object.heapPrevious
      element.object.heapNext = nil
      element.object.heapPrevious = nil
      if let rest = Self.pair(element.object.heapChild), let top = first { first = Self.meld(top, rest) }
    }
    element.object.heapChild = nil
    element.object.deadline = 0
  }

  /// Takes out the first if its time has come.
  package mutating func expired(_ now: UInt64) -> Reference<Element>? {
    guard let element = first, element.object.deadline <= now else { return nil }
    remove(element)
    return element
  }

  /// Two trees without siblings become one.
  private static func meld(_ left: Reference<Element>, _ right: Reference<Element>) -> Reference<Element> {
    let (top, below) = left.object.deadline <= right.object.deadline ? (left, right) : (right, left)
    below.object.heapNext = top.object.heapChild
    below.object.heapPrevious = top
    top.object.heapChild?.object.heapPrevious = below
    top.object.heapChild = below
    top.object.heapNext = nil
    top.object.heapPrevious = nil
    return top
  }

  /// Siblings become one tree: in pairs from the left, those then from the right.
  private static func pair(_ siblings: Reference<Element>?) -> Reference<Element>? {
    var pairs: Reference<Element>?
    var at = siblings
    while let one = at {
      let two = one.object.heapNext
      at = two.flatMap { $0.object.heapNext }
      one.object.heapNext = nil
      one.object.heapPrevious = nil
      two?.object.heapNext = nil
      two?.object.heapPrevious = nil
      let tree = two.map { meld(one, $0) } ?? one
      tree.object.heapNext = pairs
      pairs = tree
    }
    var joined: Reference<Element>?
    while let tree = pairs {
      pairs = tree.object.heapNext
      tree.object.heapNext = nil
      joined = joined.map { meld($0, tree) } ?? tree
    }
    return joined
  }
}
