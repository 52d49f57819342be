import FramePool

/// Capabilities by selector, for the way of each call: three levels of frames. An entry that points to a frame counts that
/// frame's entries in its low bits. The second level's frame of the first 2^18 selectors, which programs use, is always
/// there, and spares calls the first level.
package struct SlotTable {
  package static let selectors: UInt64 = 1 << 26
  private static let counter: UInt64 = 0xfff

  /// The address of the top frame; 256 of its entries are used.
  package let root: UInt64
  /// The address of the frame of the second level that its first entry points to.
  package let first: UInt64
  private static let nearBits: UInt64 = 18

  /// Both frames are of zeros, and the caller's to free.
  package init(root: UInt64, first: UInt64) {
    self.root = root
    self.first = first
    unsafe SlotTable.entry(root, 0).pointee = first
  }

  @inline(__always) private static func entry(_ frame: UInt64, _ index: UInt64) -> UnsafeMutablePointer<UInt64> {
    unsafe UnsafeMutablePointer(bitPattern: UInt(frame &+ index &* 8)).unsafelyUnwrapped
  }

  /// The capability at `selector`; 0 where there is none.
  @inline(__always) package subscript(_ selector: UInt64) -> UInt64 {
    guard selector &>> SlotTable.nearBits == 0 else { return far(selector) }
    let middle = unsafe SlotTable.entry(first, selector &>> 9).pointee
    guard middle != 0 else { return 0 }
    return unsafe SlotTable.entry(middle & ~SlotTable.counter, selector & 511).pointee
  }

  /// The same of the first 2^18 selectors, 0 where there is none in a frame that is there; nil for whom the way is longer.
  @inline(__always) package func near(_ selector: UInt64) -> UInt64? {
    guard selector &>> SlotTable.nearBits == 0 else { return nil }
    let middle = unsafe SlotTable.entry(first, selector &>> 9).pointee
    guard middle != 0 else { return nil }
    return unsafe SlotTable.entry(middle & ~SlotTable.counter, selector & 511).pointee
  }

  @inline(never) private func far(_ selector: UInt64) -> UInt64 {
    guard selector < SlotTable.selectors else { return 0 }
    let top = unsafe SlotTable.entry(root, selector &>> 18).pointee
    guard top != 0 else { return 0 }
    let middle = unsafe SlotTable.entry(top & ~SlotTable.counter, selector &>> 9 & 511).pointee
    guard middle != 0 else { return 0 }
    return unsafe SlotTable.entry(middle & ~SlotTable.counter, selector & 511).pointee
  }

  /// Puts a capability where there is none; false where a frame is wanted and not there.
  package func insert(
    _ capability: UInt64, at selector: UInt64, _ frame: () -> UInt64?, _ free: (UInt64) -> Void
  ) -> Bool {
    guard selector < SlotTable.selectors else { return false }
    let top = unsafe SlotTable.entry(root, selector >> 18)
    if unsafe top.pointee == 0 {
      guard let new = frame() else { return false }
      unsafe top.pointee = new
    }
    let middle = unsafe SlotTable.entry(top.pointee & ~SlotTable.counter, selector >> 9 & 511)
    if unsafe middle.pointee == 0 {
      guard let new = frame() else {
        if unsafe selector >> SlotTable.nearBits != 0 && top.pointee & SlotTable.counter == 0 {
          free(unsafe top.pointee)
          unsafe top.pointee = 0
        }
        return false
      }
      unsafe middle.pointee = new
      unsafe top.pointee &+= 1
    }
    unsafe SlotTable.entry(middle.pointee & ~SlotTable.counter, selector & 511).pointee = capability
    unsafe middle.pointee &+= 1
    return true
  }

  /// Changes the rights of what is there.
  package func replace(_ capability: UInt64, at selector: UInt64) {
    guard self[selector] != 0 else { return }
    let top = unsafe SlotTable.entry(root, selector >> 18).pointee & ~SlotTable.counter
    let middle = unsafe SlotTable.entry(top, selector >> 9 & 511).pointee & ~SlotTable.counter
    unsafe SlotTable.entry(middle, selector & 511).pointee = capability
  }

  /// Takes out what is there, and gives back frames that have nothing left.
  package func remove(at selector: UInt64, _ free: (UInt64) -> Void) {
    guard self[selector] != 0 else { return }
    let top = unsafe SlotTable.entry(root, selector >> 18)
    let middle = unsafe SlotTable.entry(top.pointee & ~SlotTable.counter, selector >> 9 & 511)
    unsafe SlotTable.entry(middle.pointee & ~SlotTable.counter, selector & 511).pointee = 0
    unsafe middle.pointee &-= 1
    guard unsafe middle.pointee & SlotTable.counter == 0 else { return }
    free(unsafe middle.pointee)
    unsafe middle.pointee = 0
    unsafe top.pointee &-= 1
    guard unsafe selector >> SlotTable.nearBits != 0 && top.pointee & SlotTable.counter == 0 else { return }
    free(unsafe top.pointee)
    unsafe top.pointee = 0
  }
}
