import CHypercall
import HypercallABI
import UserRuntime

/// What a root task takes of the machine: physical memory, and modules.
struct Resources {
  let block: MessageBlock
  /// Where physical memory is to be mapped: at its own address plus this.
  private static let window: UInt64 = 0x10_0000_0000
  private static let heapSize: UInt64 = 32 << 20

  init(_ block: MessageBlock) { self.block = block }

  /// Maps physical memory, in as few ranges as there can be.
  private func map(_ address: UInt64, _ size: UInt64, rights: UInt64) -> UInt64 {
    var page = address >> 12
    let end = (address + size + 4095) >> 12
    while page < end {
      var order = UInt64(min(page.trailingZeroBitCount, 20))
      while page + 1 << order > end { order -= 1 }
      let source = CapabilityRange(.memory, base: page, order: order, rights: rights)
      let target = CapabilityRange(.memory, base: page + Resources.window >> 12, order: order, rights: rights)
      _ = Kernel.delegate(source, to: target, hotspot: page, bits: 1 << 11, block)
      page += 1 << order
    }
    return address + Resources.window
  }

  /// A free range of physical memory of a power of two bytes, as high as it goes below `limit`.
  private func find(_ size: UInt64, below limit: UInt64) -> UInt64? {
    for index in 0..<Information.memoryCount {
      let region = Information.memory(index)
      guard region.type == 1 else { continue }
      var start = (min(region.address + region.size, limit) & ~(size - 1))
      while start >= region.address + size {
        start -= size
        if isFree(start, size) { return start }
      }
    }
    return nil
  }

  private func isFree(_ start: UInt64, _ size: UInt64) -> Bool {
    for index in 0..<Information.memoryCount {
      let used = Information.memory(index)
      guard used.type != 1 else { continue }
      if used.address < start + size, start < used.address + max(used.size, 1) { return false }
    }
    return true
  }

  func openHeap() -> Bool {
    guard let address = find(Resources.heapSize, below: 1 << 32) else { return false }
    Heap.open(map(address, Resources.heapSize, rights: 3), Resources.heapSize)
    return true
  }

  /// A guest's memory: the kernel's address is physical, ours is where it can be written.
  func memory(_ size: UInt64) -> UnsafeMutableRawBufferPointer? {
    // Below the heap, which was found in the same way.
    guard let heap = find(Resources.heapSize, below: 1 << 32), let address = find(size, below: heap) else { return nil }
    let place = map(address, size, rights: 7)
    return unsafe UnsafeMutableRawBufferPointer(
      start: UnsafeMutableRawPointer(bitPattern: UInt(place)), count: Int(size))
  }

  var modules: [Information.Memory] {
    (0..<Information.memoryCount).map { Information.memory($0) }.filter { $0.type == InformationPage.Memory.module }
  }

  /// The bytes of a module.
  func module(_ index: Int) -> UnsafeBufferPointer<UInt8>? {
    let module = modules[index]
    let place = map(module.address, module.size, rights: 1)
    return unsafe UnsafeBufferPointer(start: UnsafePointer(bitPattern: UInt(place)), count: Int(module.size))
  }

  /// A page of our own for a stack or whatever.
  func page() -> UInt64 {
    let pointer = UnsafeMutableRawPointer.allocate(byteCount: 4 * 4096, alignment: 4096)
    return UInt64(UInt(bitPattern: pointer))
  }
}
