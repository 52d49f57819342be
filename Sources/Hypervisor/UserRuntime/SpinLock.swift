import CHypercall

/// Keeps threads of several processors apart, for a moment. Who has waited for a while gives others of its processor their
/// turn: the one that has it may be among them.
@safe package final class SpinLock: @unchecked Sendable {
  private let word: UnsafeMutablePointer<UInt32>

  package init() {
    // Never freed, as those who wait may be anywhere.
    unsafe word = .allocate(capacity: 1)
    unsafe word.initialize(to: 0)
  }

  package func take() {
    var rounds = 0
    while unsafe h_exchange(word, 1) != 0 {
      rounds &+= 1
      if rounds & 63 == 0 { _ = Kernel.raw(9, 0, flags: 1) } else { h_pause() }
    }
  }

  package func give() { unsafe h_store32(word, 0) }
}
