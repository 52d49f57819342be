/// Page tables of four levels, a processor's own (Intel SDM 3, 4.5) or nested ones (AMD APM 2, 15.25.5), which are alike.
///
/// An entry that points to a table counts the table's entries in bits 61:52, which processors ignore there: so a table goes
/// when its last entry does, without being searched.
package struct PageTable {
  package struct Attributes: OptionSet, Equatable {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }
    package static let readable = Self(rawValue: 1 << 0)
    package static let writable = Self(rawValue: 1 << 1)
    package static let executable = Self(rawValue: 1 << 2)
    package static let user = Self(rawValue: 1 << 3)
    package static let writeCombining = Self(rawValue: 1 << 4)
    package static let global = Self(rawValue: 1 << 5)
  }

  package struct Translation: Equatable {
    package let physical: UInt64
    /// log2 of the page's size in frames: 0, 9 or 18.
    package let order: UInt64
    package let attributes: Attributes
  }

  package enum Failure: Error { case noFrames, occupied }

  private static let present: UInt64 = 1 << 0
  private static let writable: UInt64 = 1 << 1
  private static let user: UInt64 = 1 << 2
  /// The entry of the PAT that is write-combining: number 1.
  private static let writeThrough: UInt64 = 1 << 3
  private static let large: UInt64 = 1 << 7
  private static let global: UInt64 = 1 << 8
  private static let noExecute: UInt64 = 1 << 63
  private static let address: UInt64 = 0x000f_ffff_ffff_f000
  private static let one: UInt64 = 1 << 52
  private static let counter: UInt64 = 0x3ff << 52

  /// The physical address of the top table.
  package let root: UInt64

  package init(root: UInt64) { self.root = root }

  @inline(__always)
  private static func entry(
    _ table: UInt64, _ virtual: UInt64, _ level: UInt64, _ window: UInt64
  ) -> UnsafeMutablePointer<UInt64> {
    let index = virtual &>> (12 &+ 9 &* level) & 511
    return unsafe UnsafeMutablePointer(bitPattern: UInt(window &+ table &+ index &* 8)).unsafelyUnwrapped
  }

  private static func leaf(_ attributes: Attributes) -> UInt64 {
    var bits = present
    if attributes.contains(.writable) { bits |= writable }
    if attributes.contains(.user) { bits |= user }
    if attributes.contains(.global) { bits |= global }
    if attributes.contains(.writeCombining) { bits |= writeThrough }
    if !attributes.contains(.executable) { bits |= noExecute }
    return bits
  }

  private static func attributes(_ entry: UInt64) -> Attributes {
    var attributes: Attributes = .readable
    if entry & writable != 0 { attributes.insert(.writable) }
    if entry & user != 0 { attributes.insert(.user) }
    if entry & global != 0 { attributes.insert(.global) }
    if entry & writeThrough != 0 { attributes.insert(.writeCombining) }
    if entry & noExecute == 0 { attributes.insert(.executable) }
    return attributes
  }

  /// The level at which a page of both addresses fits into what is left: 2 only where there are pages of 1 GiB.
  private static func level(_ virtual: UInt64, _ physical: UInt64, _ left: UInt64, _ huge: Bool) -> UInt64 {
    let both = virtual | physical
    if huge, both & 0x3fff_ffff == 0, left >= 1 << 18 { return 2 }
    return both & 0x1f_ffff == 0 && left >= 1 << 9 ? 1 : 0
  }

  /// Maps `frames` frames from `physical` at `virtual`, in pages as large as fit; all of them or, upon a
  /// failure, none.
  package func map(
    _ virtual: UInt64, to physical: UInt64, frames: UInt64, _ attributes: Attributes, hugePages: Bool = false,
    _ source: inout some PageFrames
  ) throws(Failure) {
    var virtual = virtual
    var physical = physical
    var left = frames
    while left > 0 {
      let level = PageTable.level(virtual, physical, left, hugePages)
      do throws(Failure) {
        try map(virtual, to: physical, level: level, attributes, &source)
      } catch {
        change(virtual &- (frames &- left) &* 4096, frames: frames &- left, [], &source)
        throw error
      }
      let frames: UInt64 = 1 << (9 &* level)
      virtual &+= frames &* 4096
      physical &+= frames &* 4096
      left &-= frames
    }
  }

  private func map(
    _ virtual: UInt64, to physical: UInt64, level target: UInt64, _ attributes: Attributes,
    _ source: inout some PageFrames
  ) throws(Failure) {
    let window = source.window
    var table = root
    var level: UInt64 = 3
    // The entry that points to `table`, which counts its entries.
    var parent: UnsafeMutablePointer<UInt64>?
    while true {
      let slot = unsafe PageTable.entry(table, virtual, level, window)
      if level == target {
        guard unsafe slot.pointee == 0 else { throw .occupied }
        unsafe slot.pointee =
          physical | PageTable.leaf(attributes) | (level > 0 ? PageTable.large : 0)
        if let parent = unsafe parent { unsafe parent.pointee &+= PageTable.one }
        return
      }
      let value = unsafe slot.pointee
      if value == 0 {
        guard let frame = source.allocate() else {
          prune(virtual, &source)
          throw .noFrames
        }
        unsafe slot.pointee = frame | PageTable.present | PageTable.writable | PageTable.user
        if let parent = unsafe parent { unsafe parent.pointee &+= PageTable.one }
        table = frame
      } else {
        guard value & PageTable.large == 0 else { throw .occupied }
        table = value & PageTable.address
      }
      unsafe parent = unsafe slot
      level &-= 1
    }
  }

  /// Lets go of tables on the way to `virtual` that have no entries.
  private func prune(_ virtual: UInt64, _ source: inout some PageFrames) {
    var slots = unsafe InlineArray<4, UnsafeMutablePointer<UInt64>?>(repeating: nil)
    var table = root
    var level: UInt64 = 3
    while level > 0 {
      let slot = unsafe PageTable.entry(table, virtual, level, source.window)
      unsafe slots[Int(level)] = unsafe slot
      let value = unsafe slot.pointee
      guard value != 0, value & PageTable.large == 0 else { break }
      table = value & PageTable.address
      level &-= 1
    }
    level = max(level, 1)
    while level <= 3 {
      if let slot = unsafe slots[Int(level)], unsafe slot.pointee != 0, unsafe slot.pointee & PageTable.large == 0 {
        guard unsafe slot.pointee & PageTable.counter == 0 else { return }
        source.free(unsafe slot.pointee & PageTable.address)
        unsafe slot.pointee = 0
        if level < 3, let above = unsafe slots[Int(level) + 1] { unsafe above.pointee &-= PageTable.one }
      }
      level &+= 1
    }
  }

  /// Sets the attributes of what is mapped within `frames` frames from `virtual`; none unmaps it. Pages that were mapped in one
  /// go are taken in one go: a large one that is only in part within the range changes as a whole.
  package func change(
    _ virtual: UInt64, frames: UInt64, _ attributes: Attributes, _ source: inout some PageFrames
  ) {
    var virtual = virtual
    let end = virtual &+ frames &* 4096
    while virtual < end {
      var table = root
      var level: UInt64 = 3
      var parent: UnsafeMutablePointer<UInt64>?
      while true {
        let slot = unsafe PageTable.entry(table, virtual, level, source.window)
        let value = unsafe slot.pointee
        if value != 0, level > 0, value & PageTable.large == 0 {
          table = value & PageTable.address
          unsafe parent = unsafe slot
          level &-= 1
          continue
        }
        if value != 0 {
          if attributes.isEmpty {
            unsafe slot.pointee = 0
            if let parent = unsafe parent {
              unsafe parent.pointee &-= PageTable.one
              if unsafe parent.pointee & PageTable.counter == 0 { prune(virtual, &source) }
            }
          } else {
            unsafe slot.pointee =
              value & (PageTable.address | PageTable.large) | PageTable.leaf(attributes)
          }
        }
        let size: UInt64 = 4096 << (9 &* level)
        virtual = (virtual & ~(size &- 1)) &+ size
        break
      }
    }
  }

  /// Where `virtual` leads to, or nil.
  package func translate(_ virtual: UInt64, window: UInt64) -> Translation? {
    var table = root
    var level: UInt64 = 3
    while true {
      let value = unsafe PageTable.entry(table, virtual, level, window).pointee
      guard value != 0 else { return nil }
      if level == 0 || value & PageTable.large != 0 {
        let size: UInt64 = 4096 << (9 &* level)
        return Translation(
          physical: value & PageTable.address & ~(size &- 1) | virtual & (size &- 1), order: 9 &* level,
          attributes: PageTable.attributes(value))
      }
      table = value & PageTable.address
      level &-= 1
    }
  }

  /// An entry of the top table, to share what lies below it with other tables.
  package func top(_ index: UInt64, window: UInt64) -> UInt64 {
    unsafe PageTable.entry(root, index << 39, 3, window).pointee
  }
  package func setTop(_ index: UInt64, _ value: UInt64, window: UInt64) {
    unsafe PageTable.entry(root, index << 39, 3, window).pointee = value
  }

  /// Lets the entry of a table of 1 GiB at `virtual` be `directory`, a table that others share; counted, so that those above
  /// it stay.
  package func share(_ virtual: UInt64, _ directory: UInt64, _ source: inout some PageFrames) throws(Failure) {
    let slot = unsafe PageTable.entry(root, virtual, 3, source.window)
    if unsafe slot.pointee == 0 {
      guard let frame = source.allocate() else { throw .noFrames }
      unsafe slot.pointee = frame | PageTable.present | PageTable.writable | PageTable.user
    }
    unsafe PageTable.entry(slot.pointee & PageTable.address, virtual, 2, source.window).pointee =
      directory | PageTable.present | PageTable.writable
    unsafe slot.pointee &+= PageTable.one
  }

  /// The table of what lies in the GiB at `virtual`, or nil.
  package func directory(_ virtual: UInt64, window: UInt64) -> UInt64? {
    let upper = unsafe PageTable.entry(root, virtual, 3, window).pointee
    guard upper != 0 else { return nil }
    let value = unsafe PageTable.entry(upper & PageTable.address, virtual, 2, window).pointee
    return value == 0 || value & PageTable.large != 0 ? nil : value & PageTable.address
  }
}
