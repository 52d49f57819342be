import CHypercall

/// Keeps threads of several processors apart, for a moment.
package struct SpinLock {
  private var word: UInt32 = 0
  package init() {}

  package mutating func take() {
    while unsafe h_exchange(&word, 1) != 0 { _ = Kernel.raw(9, 0, flags: 1) }
  }

  package mutating func give() { unsafe h_store32(&word, 0) }
}
