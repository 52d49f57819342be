/// How long a scheduling context runs in a turn, in ticks of the time-stamp counter, and what it has used in all.
package struct Budget: Equatable {
  package let quantum: UInt64
  package private(set) var left: UInt64
  /// Ticks in all turns.
  package private(set) var used: UInt64 = 0

  package init(quantum: UInt64) {
    self.quantum = max(quantum, 1)
    left = self.quantum
  }

  /// Takes what a turn has used. Returns whether the budget was used up, upon which a new turn begins.
  @inline(__always) package mutating func spend(_ ticks: UInt64) -> Bool {
    used &+= ticks
    if ticks < left {
      left &-= ticks
      return false
    }
    left = quantum
    return true
  }

  /// Gives up the rest of the turn.
  package mutating func yield() { left = quantum }
}
