/// Slots of one size, cut from frames; a frame whose slots are all free goes back.
package struct Slab {
  private struct Page {
    var next: Reference<Page>?
    var previous: Reference<Page>?
    var free: Reference<Slot>?
    var used: UInt64
  }
  private struct Slot { var next: Reference<Slot>? }

  /// Bytes of a slot, a multiple of its alignment.
  package let size: UInt64
  private let alignment: UInt64
  /// Slots in use.
  package private(set) var used: UInt64 = 0
  /// Pages that have a free slot.
  private var open: Reference<Page>?

  /// For slots of at least `bytes`, at most a quarter of a frame, at multiples of `alignment`: a power of two, at least 64.
  package init(bytes: Int, alignment: UInt64 = 64) {
    self.alignment = alignment
    size = (UInt64(bytes) &+ alignment &- 1) & ~(alignment &- 1)
  }

  private var slots: UInt64 { (Buddy.frame &- alignment) / size }

  /// The address of a slot with unknown contents, a multiple of the alignment.
  package mutating func allocate(_ frames: inout Buddy) -> UInt64? {
    if open == nil {
      guard let address = frames.allocate() else { return nil }
      let page = Reference<Page>(address: address)
      var free: Reference<Slot>?
      for index in 0..<slots {
        let slot = Reference<Slot>(address: address &+ alignment &+ index &* size)
        slot.object.next = free
        free = slot
      }
      page.object = Page(next: nil, previous: nil, free: free, used: 0)
      open = page
    }
    guard let page = open, let slot = page.object.free else { return nil }
    page.object.free = slot.object.next
    page.object.used &+= 1
    if page.object.free == nil { close(page) }
    used &+= 1
    return slot.address
  }

  package mutating func free(_ address: UInt64, _ frames: inout Buddy) {
    let page = Reference<Page>(address: address & ~(Buddy.frame &- 1))
    let slot = Reference<Slot>(address: address)
    if page.object.free == nil {
      page.object.next = open
      page.object.previous = nil
      open?.object.previous = page
      open = page
    }
    slot.object.next = page.object.free
    page.object.free = slot
    page.object.used &-= 1
    used &-= 1
    // The last page stays: whoever makes and lets go one object does not pay for a page each time.
    if page.object.used == 0, page.object.next != nil || page.object.previous != nil {
      close(page)
      frames.free(page.address)
    }
  }

  private mutating func close(_ page: Reference<Page>) {
    if let previous = page.object.previous { previous.object.next = page.object.next } else { open = page.object.next }
    page.object.next?.object.previous = page.object.previous
    page.object.next = nil
    page.object.previous = nil
  }
}
