import CMachine

/// All processors: their blocks, by number.
enum Processors {
  static let limit = 64
  nonisolated(unsafe) private static var blocks = unsafe InlineArray<64, UnsafeMutablePointer<m_processor>?>(
    repeating: nil)
  nonisolated(unsafe) private(set) static var count = 0

  static func at(_ number: Int) -> UnsafeMutablePointer<m_processor> {
    unsafe blocks[number & 63].unsafelyUnwrapped
  }

  static func add(_ block: UnsafeMutablePointer<m_processor>) {
    unsafe blocks[count] = unsafe block
    unsafe count += 1
  }

  /// One that did not come.
  static func forgetLast() { unsafe count -= 1 }
}

/// Why a processor or a context does not leave the kernel at once.
enum Hazard {
  /// Of a processor: someone more urgent is ready, or a turn is over.
  static let reschedule: UInt32 = 1
  /// Of a context: its recall portal is to be called.
  static let recall: UInt32 = 1
  /// Of a context: it is gone.
  static let dead: UInt32 = 2
}
