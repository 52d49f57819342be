import CHypercall
import HypercallABI
import UserRuntime

/// The machine's memory, as the root task takes it from the kernel: at its physical address plus a window's.
enum Resources {
  static let window: UInt64 = 0x10_0000_0000
  /// Ranges that were given out.
  nonisolated(unsafe) private static var taken = InlineArray<256, (start: UInt64, size: UInt64)>(repeating: (0, 0))
  nonisolated(unsafe) private static var count = 0

  static var block: MessageBlock { MessageBlock(address: Root.messageBlock)! }

  /// Calls `body` for the largest pieces of a range of pages that are aligned there, and `distance` pages further on, too.
  static func pieces(_ first: UInt64, _ end: UInt64, distance: UInt64 = 0, _ body: (UInt64, UInt64) -> Void) {
    var page = first
    while page < end {
      var order = UInt64(min((page | (page &+ distance)).trailingZeroBitCount, 20))
      while page + 1 << order > end { order -= 1 }
      body(page, order)
      page += 1 << order
    }
  }

  /// Maps physical memory to the root task, which has quota for all there is. Returns where.
  static func map(_ address: UInt64, _ size: UInt64) -> UInt64 {
    pieces(address >> 12, (address + size + 4095) >> 12) { page, order in
      let source = CapabilityRange(.memory, base: page, order: order, rights: 7)
      let target = CapabilityRange(.memory, base: page + window >> 12, order: order, rights: 7)
      _ = Kernel.delegate(source, to: target, hotspot: page, bits: 1 << 11, block)
    }
    return address + window
  }

  /// Free physical memory of a power of two bytes, at a multiple of that.
  static func allocate(_ size: UInt64) -> UInt64? {
    for index in 0..<Information.memoryCount {
      let region = Information.memory(index)
      guard region.type == 1, region.address < 1 << 32 else { continue }
      var start = min(region.address + region.size, 1 << 32) & ~(size - 1)
      while start >= region.address + size, start > 16 << 20 {
        start -= size
        guard isFree(start, size), unsafe count < 256 else { continue }
        unsafe taken[count] = (start, size)
        unsafe count += 1
        return start
      }
    }
    return nil
  }

  /// Has memory back that was mapped as a whole, for others, who are not to find what is in it.
  static func free(_ start: UInt64) {
    for index in unsafe 0..<count where unsafe taken[index].start == start {
      let size = unsafe taken[index].size
      unsafe h_fill_bytes(UnsafeMutableRawPointer(bitPattern: UInt(start + window)), 0, size)
      // Mappings are never replaced, and the next to have it may have more.
      pieces((start + window) >> 12, (start + window + size) >> 12) { page, order in
        _ = Kernel.revoke(CapabilityRange(.memory, base: page, order: order))
      }
      unsafe count -= 1
      unsafe taken[index] = taken[count]
      return
    }
  }

  /// Whether it is no memory of the machine's, but what else answers there.
  static func isDevice(_ start: UInt64, _ size: UInt64) -> Bool {
    for index in 0..<Information.memoryCount {
      let used = Information.memory(index)
      // Reserved memory may be a device's.
      if used.type != 2, used.address < start + size, start < used.address + max(used.size, 1) { return false }
    }
    let place = CapabilityRange(.memory, base: map(start, size) >> 12, order: 0)
    return Kernel.lookup(place).kind != .none
  }

  private static func isFree(_ start: UInt64, _ size: UInt64) -> Bool {
    for index in 0..<Information.memoryCount {
      let used = Information.memory(index)
      if used.type != 1, used.address < start + size, start < used.address + max(used.size, 1) { return false }
    }
    for index in unsafe 0..<count {
      let used = unsafe taken[index]
      if used.start < start + size, start < used.start + used.size { return false }
    }
    return true
  }

  /// What time it was when the time-stamp counter was there.
  nonisolated(unsafe) static var seconds: UInt64 = 0
  nonisolated(unsafe) static var ticks: UInt64 = 0

  /// The module whose command line's first word ends in `name`, behind the last slash; the root task itself is none.
  static func module(named name: [UInt8]) -> Information.Memory? {
    var isFirst = true
    for index in 0..<Information.memoryCount where Information.memory(index).type == InformationPage.Memory.module {
      let module = Information.memory(index)
      if !isFirst, self.name(of: module) == name { return module }
      isFirst = false
    }
    return nil
  }

  private static func name(of module: Information.Memory) -> [UInt8] {
    guard module.auxiliary != 0 else { return [] }
    let text = map(UInt64(module.auxiliary) & ~0xfff, 8192) + UInt64(module.auxiliary) & 0xfff
    var name: [UInt8] = []
    for byte in Grants.bytes(at: text, 256) {
      guard byte != 0, byte != 32 else { break }
      if byte == UInt8(ascii: "/") { name = [] } else { name.append(byte) }
    }
    return name
  }
}
