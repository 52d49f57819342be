import CMachine

/// The kernel's one lock, held from each entry to the way out (docs/decisions). First come, first served.
///
/// Who waits for it answers others' requests to flush: the holder waits for those. A processor that is alone takes none.
enum Lock {
  nonisolated(unsafe) private static var next: UInt32 = 0
  nonisolated(unsafe) private static var serving: UInt32 = 0

  /// Whether there are several processors.
  nonisolated(unsafe) static var isShared: UInt32 = 0

  @inline(__always) static func acquire() {
    guard unsafe isShared != 0 else { return }
    let ticket = unsafe m_fetch_add(&next, 1)
    while unsafe m_load32(&serving) != ticket {
      Shootdown.answer()
      m_pause()
    }
  }

  @inline(__always) static func release() {
    if unsafe isShared != 0 { unsafe m_store32(&serving, serving &+ 1) }
  }
}
