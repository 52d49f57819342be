/// The bytes of standard input that may still be sent. The host spends from it; the guest holds the host to it.
package struct InputWindow: Equatable, Sendable {
  package private(set) var available: UInt32

  package init(available: UInt32 = Agent.initialInputWindow) {
    self.available = available
  }

  /// Adds what a `credit` frame grants. A peer that grants more than 32 bits count only gets no more than that.
  package mutating func grant(_ bytes: UInt32) {
    let (sum, overflow) = available.addingReportingOverflow(bytes)
    available = overflow ? .max : sum
  }

  /// Takes `bytes` if the window has as many, and says whether it had.
  package mutating func spend(_ bytes: Int) -> Bool {
    guard bytes >= 0, bytes <= available else { return false }
    available -= UInt32(bytes)
    return true
  }

  /// How many bytes one `stdin` frame may carry now.
  package var nextFrame: Int { min(Int(available), Agent.payloadLimit) }
}
