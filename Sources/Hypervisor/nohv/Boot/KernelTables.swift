import CMachine
import Paging

/// The kernel's own page tables, which every domain's share in parts: the image, and all memory.
enum KernelTables {
  nonisolated(unsafe) private(set) static var table = PageTable(root: 0)
  /// The table of the GiB that is the kernel's, physical.
  nonisolated(unsafe) private(set) static var directory: UInt64 = 0
  /// How many entries of the top table, from 256 on, have all memory.
  nonisolated(unsafe) private(set) static var windows: UInt64 = 0

  /// Maps the image as its parts want it, and memory up to `end` (at least 4 GiB, where devices are).
  static func build(end: UInt64) {
    var frames = BootFrames()
    let table = PageTable(root: Memory.boot() &- Physical.base)
    let huge = unsafe Features.hugePages
    let granule: UInt64 = 1 << 30
    let bytes = max(end &+ granule - 1, 1 << 32) & ~(granule - 1)
    func map(_ address: UInt64, _ physical: UInt64, _ bytes: UInt64, _ attributes: PageTable.Attributes) {
      do throws(PageTable.Failure) {
        try table.map(
          address, to: physical, frames: bytes >> 12, attributes, hugePages: huge, &frames)
      } catch { panic("nohv: the kernel's tables overlap at \(hex: address)") }
    }
    map(Physical.base, 0, bytes, [.readable, .writable, .global])
    let (start, text, end) = (m_image_start_address(), m_text_end_address(), m_image_end_address())
    map(start, Physical.address(start), text - start, [.readable, .executable, .global])
    map(text, Physical.address(text), end - text, [.readable, .writable, .global])
    unsafe self.table = table
    unsafe directory = table.directory(Physical.image, window: Physical.base) ?? 0
    unsafe windows = (bytes + (1 << 39) - 1) >> 39
    m_set_cr3(table.root)
  }

  /// Gives a domain's new table the kernel's part.
  static func share(with other: PageTable, _ frames: inout TableFrames) -> Bool {
    for index in unsafe 256..<(256 + windows) {
      other.setTop(index, unsafe table.top(index, window: Physical.base), window: Physical.base)
    }
    do throws(PageTable.Failure) {
      try other.share(Physical.image, unsafe directory, &frames)
      return true
    } catch { return false }
  }
}
