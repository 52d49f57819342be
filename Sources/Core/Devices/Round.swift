/// A first-in, first-out queue that reuses its memory, and takes no more of it than twice what was in it at once.
package struct Round<Element> {
  private var elements: [Element?] = []
  private var head = 0

  package init() {}

  package var count: Int { elements.count - head }
  package var isEmpty: Bool { count == 0 }

  package mutating func append(_ element: Element) { elements.append(element) }

  package mutating func removeFirst() -> Element? {
    guard head < elements.count else { return nil }
    let element = elements[head]
    elements[head] = nil
    head += 1
    if head == elements.count {
      removeAll()
    } else if head >= 64, head > elements.count / 2 {
      elements.removeFirst(head)
      head = 0
    }
    return element
  }

  /// Takes back what was appended last.
  package mutating func removeLast() {
    if head < elements.count { elements.removeLast() }
  }

  package mutating func removeAll(where isGone: (Element) -> Bool) {
    elements.removeFirst(head)
    head = 0
    elements.removeAll { $0.map(isGone) ?? true }
  }

  package mutating func removeAll() {
    elements.removeAll(keepingCapacity: true)
    head = 0
  }
}
