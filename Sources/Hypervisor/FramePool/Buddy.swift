/// Frames of one range of memory, in blocks of powers of two that are split and joined.
///
/// Free blocks are lists through their own first words; a byte for each frame, at the range's end, says which frames begin a
/// free block, and of which order.
package struct Buddy {
  package static let frame: UInt64 = 4096
  package static let orders = 16
  private static let free: UInt8 = 0x80

  private struct Block {
    var next: Reference<Block>?
    var previous: Reference<Block>?
  }

  private var base: UInt64 = 0
  private var frames: UInt64 = 0
  private var heads = InlineArray<16, Reference<Block>?>(repeating: nil)
  /// Frames that are free.
  package private(set) var available: UInt64 = 0

  package init() {}

  /// Takes over `count` frames from `address`, a multiple of a frame's size.
  ///
  /// - Safety: nobody else uses that memory.
  @unsafe package init(at address: UInt64, count: UInt64) {
    base = address
    // The map takes a frame for each 4096 frames.
    frames = count &- (count &+ Buddy.frame) / (Buddy.frame &+ 1) &- (count < 2 ? 0 : 1)
    if count < 3 { frames = 0 }
    for index in 0..<frames { mark(index, 0) }
    var next: UInt64 = 0
    while next < frames {
      var order = Buddy.orders - 1
      while next & ((1 << UInt64(order)) &- 1) != 0 || next &+ 1 << UInt64(order) > frames { order -= 1 }
      put(next, order)
      next &+= 1 << UInt64(order)
    }
    available = frames
  }

  /// All frames, free or not.
  package var count: UInt64 { frames }

  private func place(_ index: UInt64) -> UnsafeMutablePointer<UInt8> {
    unsafe UnsafeMutablePointer(bitPattern: UInt(base &+ frames &* Buddy.frame &+ index)).unsafelyUnwrapped
  }
  private func mark(_ index: UInt64, _ value: UInt8) { unsafe place(index).pointee = value }
  private func mark(of index: UInt64) -> UInt8 { unsafe place(index).pointee }
  private func block(_ index: UInt64) -> Reference<Block> { Reference(address: base &+ index &* Buddy.frame) }

  private mutating func put(_ index: UInt64, _ order: Int) {
    let block = block(index)
    block.object = Block(next: heads[order], previous: nil)
    heads[order]?.object.previous = block
    heads[order] = block
    mark(index, Buddy.free | UInt8(truncatingIfNeeded: order))
  }

  private mutating func take(_ index: UInt64, _ order: Int) {
    let block = block(index).object
    if let previous = block.previous { previous.object.next = block.next } else { heads[order] = block.next }
    block.next?.object.previous = block.previous
    mark(index, 0)
  }

  /// The address of `1 << order` frames in a row, aligned to their size from the range's start; nil where there are none.
  package mutating func allocate(order: Int = 0) -> UInt64? {
    var found = order
    while found < Buddy.orders, heads[found] == nil { found &+= 1 }
    guard found < Buddy.orders, let block = heads[found] else { return nil }
    let index = (block.address &- base) / Buddy.frame
    take(index, found)
    while found > order {
      found &-= 1
      put(index &+ 1 << UInt64(found), found)
    }
    available &-= 1 << UInt64(order)
    return base &+ index &* Buddy.frame
  }

  /// Gives back what `allocate` gave, of the same order.
  package mutating func free(_ address: UInt64, order: Int = 0) {
    available &+= 1 << UInt64(order)
    var index = (address &- base) / Buddy.frame
    var order = order
    while order < Buddy.orders - 1 {
      let buddy = index ^ 1 << UInt64(order)
      guard buddy &+ 1 << UInt64(order) <= frames, mark(of: buddy) == Buddy.free | UInt8(truncatingIfNeeded: order)
      else { break }
      take(buddy, order)
      index &= ~(1 << UInt64(order))
      order &+= 1
    }
    put(index, order)
  }
}
