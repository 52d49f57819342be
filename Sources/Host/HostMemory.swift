import CLinux
import Glibc

/// What this host has of memory.
package enum HostMemory {
  /// Bytes of RAM and swap together (sysinfo(2)); nil where the host does not tell.
  package static var size: UInt64? {
    let size = clinux_memory_size()
    return size > 0 ? size : nil
  }

  /// madvise(2) with MADV_DONTNEED: gives the pages that lie wholly in private memory back. They read as zero then.
  @unsafe package static func release(_ bytes: UnsafeMutableRawBufferPointer) {
    guard let start = bytes.baseAddress else { return }
    let skip = -Int(bitPattern: start) & (page - 1)
    let count = (bytes.count - skip) & ~(page - 1)
    // A refusal costs memory only.
    if count > 0 { unsafe madvise(start + skip, count, MADV_DONTNEED) }
  }

  private static let page = 4096
}
