import GuestMemory

/// The places of a kernel that hold its own virtual addresses, as its build puts them behind the ELF image that a bzImage
/// carries (Linux, arch/x86/tools/relocs.c, and handle_relocations in arch/x86/boot/compressed/misc.c).
///
/// They are three lists of 32-bit words, each behind a word of zero: places of 64-bit addresses, of 32-bit differences to
/// per-processor variables (none from Linux 6.15 on), and of 32-bit addresses. A place is given by the lower half of the
/// virtual address that it was linked for.
///
/// What is behind the image may be anything: every place is held against the kernel before the first is touched.
package struct KernelRelocations {
  /// Whole words of the file's end.
  private let bytes: Range<Int>
  /// By the numbers of words.
  private let wide: Range<Int>
  private let inverse: Range<Int>
  private let narrow: Range<Int>

  /// How many places there are.
  package var count: Int { wide.count + inverse.count + narrow.count }

  /// Where the kernel's addresses begin (`__START_KERNEL_map`), as far as a place tells: its lower half.
  private static let mapBase: UInt32 = 0x8000_0000
  /// Linux has a quarter of a million.
  private static let maximumCount = 1 << 24

  /// Nil unless all that is behind the kernel's image is relocations of it.
  package init?(_ kernel: KernelImage, _ file: Span<UInt8>) {
    guard let start = kernel.fileEnd, start < file.count, (file.count - start) % 4 == 0 else { return nil }
    bytes = start..<file.count
    let words = file.extracting(bytes)
    let count = words.count / 4
    guard count <= Self.maximumCount, words.word(0) == 0 else { return nil }
    // As places are told in 32 bits, no footprint ends beyond them.
    guard let first = UInt32(exactly: kernel.footprint.lowerBound), kernel.footprint.upperBound <= 1 << 31 else {
      return nil
    }
    let last = UInt32(kernel.footprint.upperBound - kernel.footprint.lowerBound)
    var zeros: [Int] = [0]
    guard last > 3 else { return nil }
    // The four bytes of a shorter one lie within the kernel; of a longer one `apply` sees the end.
    var next = 1
    while let index = words.firstWord(from: next, outside: Self.mapBase &+ first, count: last &- 3) {
      guard words.word(index) == 0, zeros.count < 3 else { return nil }
      zeros.append(index)
      next = index + 1
    }
    switch zeros.count {
    case 2:
      wide = 1..<zeros[1]
      inverse = zeros[1]..<zeros[1]
      narrow = (zeros[1] + 1)..<count
    case 3:
      wide = 1..<zeros[1]
      inverse = (zeros[1] + 1)..<zeros[2]
      narrow = (zeros[2] + 1)..<count
    default: return nil
    }
    guard self.count > 0 else { return nil }
  }

  /// Tells the kernel in memory, all of whose segments are there, that its virtual addresses are others.
  ///
  /// - Parameters:
  ///   - footprint: the memory where the kernel lies now.
  ///   - base: the physical address that the footprint was linked for.
  ///   - file: what the relocations were read from.
  func apply(
    _ offset: UInt64, to footprint: GuestSlice, linkedAt base: UInt64, from file: Span<UInt8>
  ) throws(BootError) {
    let words = file.extracting(bytes)
    let start = Self.mapBase &+ UInt32(truncatingIfNeeded: base)
    let half = UInt32(truncatingIfNeeded: offset)
    func places(_ range: Range<Int>) -> Range<Int> { range.lowerBound * 4..<range.upperBound * 4 }
    guard footprint.add(offset, at: words.extracting(places(wide)), lessBase: start),
      footprint.add(0 &- half, at: words.extracting(places(inverse)), lessBase: start),
      footprint.add(half, at: words.extracting(places(narrow)), lessBase: start)
    else { throw .badRelocation }
  }
}
