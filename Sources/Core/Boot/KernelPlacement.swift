/// How far from where it was linked a kernel lies: all that there is to know of it beside the image itself.
package struct KernelPlacement: Equatable {
  /// Added to its physical addresses.
  package var physical: UInt64 = 0
  /// Added to its virtual ones.
  package var virtual: UInt64 = 0

  /// Where it was linked.
  package static let linked = KernelPlacement()

  package init(physical: UInt64 = 0, virtual: UInt64 = 0) {
    self.physical = physical
    self.virtual = virtual
  }

  /// What Linux maps of itself with randomisation (KERNEL_IMAGE_SIZE with CONFIG_RANDOMIZE_BASE); modules are behind it.
  private static let virtualSize: UInt64 = 1 << 30
  /// Linux maps itself in pages of this size before it knows of others.
  private static let pageSize: UInt64 = 2 << 20

  /// Anywhere, as the kernel's own unpacker would have it (Linux, arch/x86/boot/compressed/kaslr.c): not below where it was
  /// linked, not over the initramfs, and with the virtual address apart from the physical one.
  ///
  /// - Parameters:
  ///   - kernel: as it was linked, with relocations.
  ///   - initramfs: what `BootPlan` makes of the same kernel and memory.
  ///   - commandLine: what the guest gets. It may bound the memory that the kernel is to use, so that only the virtual
  ///     address is free then.
  ///   - numbers: two fresh random numbers.
  package init(
    _ kernel: KernelImage, _ map: MemoryMap, initramfs: Range<UInt64>?, _ commandLine: CommandLine,
    numbers: (UInt64, UInt64)
  ) {
    let alignment = max(UInt64(kernel.setup.kernelAlignment), Self.pageSize)
    let linked = kernel.footprint
    guard alignment & (alignment - 1) == 0 else { return }
    if linked.upperBound <= Self.virtualSize {
      let slots = (Self.virtualSize - linked.upperBound) / alignment + 1
      virtual = numbers.1 % slots * alignment
    }
    guard !commandLine.boundsMemory else { return }
    var spaces = map.ram.flatMap { range in Self.without(initramfs, range) }
    if !kernel.setup.canLieAbove4GiB { spaces.removeAll { $0.lowerBound >= MemoryMap.mmioHole.upperBound } }
    let size = linked.upperBound - linked.lowerBound
    let slots = spaces.map { Self.slots($0, size, linked.lowerBound, alignment) }
    let total = slots.reduce(0) { $0 + $1.count }
    guard total > 0 else { return }
    var number = numbers.0 % total
    for each in slots {
      if number < each.count {
        physical = each.first + number * alignment
        return
      }
      number -= each.count
    }
  }

  /// The offsets by which a kernel of `size` bytes, linked at `base`, lies within `space`: the first, and how many.
  private static func slots(
    _ space: Range<UInt64>, _ size: UInt64, _ base: UInt64, _ alignment: UInt64
  ) -> (first: UInt64, count: UInt64) {
    // No address is over 2^40.
    let start = max(space.lowerBound, base)
    let first = (start - base + alignment - 1) & ~(alignment - 1)
    let end = base + first + size
    return end <= space.upperBound ? (first, (space.upperBound - end) / alignment + 1) : (first, 0)
  }

  private static func without(_ hole: Range<UInt64>?, _ range: Range<UInt64>) -> [Range<UInt64>] {
    guard let hole, hole.overlaps(range) else { return [range] }
    let below = range.lowerBound..<max(hole.lowerBound, range.lowerBound)
    let above = min(hole.upperBound, range.upperBound)..<range.upperBound
    return [below, above].filter { !$0.isEmpty }
  }
}
