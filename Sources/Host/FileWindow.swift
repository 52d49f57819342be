import CLinux
import Glibc

/// Host memory in which pieces of files come and go, for a guest to reach them without asking (mmap(2), MAP_FIXED).
///
/// Where no file is, it reads as zero and cannot be written, so that the guest gets no memory by it. So it is too where a file
/// ends: there the host's kernel would refuse the access.
@safe
public final class FileWindow: @unchecked Sendable {
  private let base: UnsafeMutableRawPointer

  /// Length in bytes.
  public let count: Int

  private static let hugePage = 2 << 20

  /// - Parameter count: a multiple of 2 MiB. It begins at one too, so that huge pages of a file can be mapped as such.
  public init(count: Int) throws(Errno) {
    let whole = count + Self.hugePage
    let start = unsafe mmap(nil, whole, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    if unsafe clinux_map_failed(start) != 0 { throw .current }
    let skip = unsafe -Int(bitPattern: start!) & (Self.hugePage - 1)
    unsafe base = start! + skip
    self.count = count
    if skip > 0 { unsafe munmap(start!, skip) }
    if skip < Self.hugePage { unsafe munmap(base + count, Self.hugePage - skip) }
  }

  deinit { unsafe munmap(base, count) }

  /// All of it; valid for as long as the window lives.
  @unsafe public var bytes: UnsafeMutableRawBufferPointer {
    unsafe UnsafeMutableRawBufferPointer(start: base, count: count)
  }

  /// Shows a piece of a file in place of what was there. All numbers are multiples of the page size.
  ///
  /// - Parameter length: no more than the file has, rounded up to a page.
  package func show(
    _ file: Int32, from fileOffset: UInt64, at offset: Int, count length: Int, isWritable: Bool
  ) throws(Errno) {
    guard let fileOffset = Int(exactly: fileOffset) else { throw .invalid }
    let protection = isWritable ? PROT_READ | PROT_WRITE : PROT_READ
    try place(offset, length, protection, MAP_SHARED | MAP_FIXED, file, fileOffset)
  }

  /// Gives the pages that cannot be read, because the file was shortened or its disk fails, memory of zeros in their place.
  ///
  /// - Returns: whether there were any.
  package func mend(at offset: Int, count length: Int, isWritable: Bool) throws(Errno) -> Bool {
    guard offset >= 0, length > 0, length <= count, offset <= count - length else { throw .invalid }
    let protection = isWritable ? PROT_READ | PROT_WRITE : PROT_READ
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED
    let end = offset + length
    var next = offset
    var mended = false
    while next < end {
      next += readablePages(from: next, to: end) * Self.page
      guard next < end else { break }
      try place(next, Self.page, protection, flags, -1, 0)
      next += Self.page
      mended = true
    }
    return mended
  }

  private static let page = 4096

  /// How many pages can be read before one that cannot (process_vm_readv(2), which stops there).
  private func readablePages(from start: Int, to end: Int) -> Int {
    var readable = 0
    var at = start
    var byte: UInt8 = 0
    while at < end {
      // One byte of each page, all to the same place.
      let pages = min((end - at + Self.page - 1) / Self.page, 512)
      let read = unsafe withUnsafeMutablePointer(to: &byte) { byte in
        let target = unsafe InlineArray<512, iovec>(repeating: iovec(iov_base: byte, iov_len: 1))
        let source = unsafe InlineArray<512, iovec> { index in
          unsafe iovec(iov_base: base + (at + min(index, pages - 1) * Self.page), iov_len: 1)
        }
        return unsafe target.span.withUnsafeBufferPointer { to in
          unsafe source.span.withUnsafeBufferPointer { from in
            unsafe clinux_probe(to.baseAddress, from.baseAddress, UInt(pages))
          }
        }
      }
      // An error of another kind says nothing of the pages.
      if read < 0, Errno.current != .badAddress { return (end - start + Self.page - 1) / Self.page }
      readable += max(0, read)
      guard read == pages else { return readable }
      at += pages * Self.page
    }
    return readable
  }

  /// Takes away what was there.
  package func hide(at offset: Int, count length: Int) throws(Errno) {
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED
    try place(offset, length, PROT_READ, flags, -1, 0)
  }

  private func place(
    _ offset: Int, _ length: Int, _ protection: Int32, _ flags: Int32, _ file: Int32, _ fileOffset: Int
  ) throws(Errno) {
    guard offset >= 0, length > 0, length <= count, offset <= count - length else { throw .invalid }
    let mapped = unsafe mmap(base + offset, length, protection, flags, file, fileOffset)
    if unsafe clinux_map_failed(mapped) != 0 { throw .current }
  }
}
