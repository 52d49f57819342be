import CLinux
import Glibc

/// What this host has of memory.
package enum HostMemory {
  /// Bytes of RAM and swap together (sysinfo(2)); nil where the host does not tell.
  package static var size: UInt64? {
    let size = clinux_memory_size()
    return size > 0 ? size : nil
  }

  /// Pages of 2 MiB that are set aside and nobody has been promised.
  package static var reservablePages: Int {
    func number(_ name: String) -> Int {
      var text = [UInt8](repeating: 0, count: 24)
      guard
        let file = try? FileDescriptor.open(
          Path("/sys/kernel/mm/hugepages/hugepages-2048kB/" + name), O_RDONLY),
        let count = try? file.read(into: &text)
      else { return 0 }
      return Int(String(decoding: text[..<count].prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)) ?? 0
    }
    return max(0, number("free_hugepages") - number("resv_hugepages"))
  }

  /// madvise(2) with MADV_DONTNEED: gives the pages that lie wholly in private memory back. They read as zero then, or as a file has
  /// them that lies beneath (`MemoryMapping.replace`).
  @unsafe package static func release(_ bytes: UnsafeMutableRawBufferPointer) {
    guard let start = bytes.baseAddress else { return }
    let skip = -Int(bitPattern: start) & (page - 1)
    let count = (bytes.count - skip) & ~(page - 1)
    // A refusal costs memory only.
    if count > 0 { unsafe madvise(start + skip, count, MADV_DONTNEED) }
  }

  private static let page = 4096
}
