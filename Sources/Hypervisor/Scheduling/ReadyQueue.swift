import FramePool

/// What waits in a ready queue.
package protocol Schedulable {
  /// 0 to 127; more is more urgent.
  var priority: UInt8 { get }
  var nextReady: Reference<Self>? { get set }
  var previousReady: Reference<Self>? { get set }
  var isReady: Bool { get set }
}

/// Who may run, by priority, and in turns within one.
package struct ReadyQueue<Element: Schedulable> {
  private var heads = InlineArray<128, Reference<Element>?>(repeating: nil)
  /// Which priorities have somebody.
  private var low: UInt64 = 0
  private var high: UInt64 = 0

  package init() {}

  /// The most urgent priority that has somebody; -1 where nobody is.
  @inline(__always) package var top: Int {
    if high != 0 { return 127 &- high.leadingZeroBitCount }
    return 63 &- low.leadingZeroBitCount
  }

  /// Enters behind all of its priority, or before them, for who has a rest of its turn.
  package mutating func insert(_ element: Reference<Element>, first: Bool = false) {
    guard !element.object.isReady else { return }
    element.object.isReady = true
    let priority = Int(element.object.priority & 127)
    if let head = heads[priority], let last = head.object.previousReady {
      element.object.nextReady = head
      element.object.previousReady = last
      last.object.nextReady = element
      head.object.previousReady = element
      if first { heads[priority] = element }
    } else {
      element.object.nextReady = element
      element.object.previousReady = element
      heads[priority] = element
      if priority < 64 { low |= 1 &<< UInt64(priority) } else { high |= 1 &<< UInt64(priority &- 64) }
    }
  }

  /// Takes out the first of the most urgent.
  package mutating func next() -> Reference<Element>? {
    let top = top
    guard top >= 0, let element = heads[top] else { return nil }
    remove(element)
    return element
  }

  package mutating func remove(_ element: Reference<Element>) {
    guard element.object.isReady else { return }
    element.object.isReady = false
    let priority = Int(element.object.priority & 127)
    if let next = element.object.nextReady, let previous = element.object.previousReady, next != element {
      next.object.previousReady = previous
      previous.object.nextReady = next
      if heads[priority] == element { heads[priority] = next }
    } else {
      heads[priority] = nil
      if priority < 64 { low &= ~(1 &<< UInt64(priority)) } else { high &= ~(1 &<< UInt64(priority &- 64)) }
    }
    element.object.nextReady = nil
    element.object.previousReady = nil
  }
}
