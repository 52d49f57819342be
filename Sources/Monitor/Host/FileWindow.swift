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
    let protection = isWritable ? PROT_READ | PROT_WRITE : PROT_READ
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED
    let pages = (length + Self.page - 1) / Self.page
    var next = 0
    var mended = false
    while next < pages {
      next += readable(pages - next) { offset + (next + $0) * Self.page }
      guard next < pages else { break }
      try place(offset + next * Self.page, Self.page, protection, flags, -1, 0)
      next += 1
      mended = true
    }
    return mended
  }

  private static let page = 4096

  /// How many bytes can be read before one that cannot (process_vm_readv(2), which stops there).
  ///
  /// - Parameter offset: where in the window the first, second, … byte is.
  package func readable(_ count: Int, _ offset: (Int) -> Int) -> Int {
    var done = 0
    var byte: UInt8 = 0
    while done < count {
      let number = min(count - done, 512)
      let read = unsafe withUnsafeMutablePointer(to: &byte) { byte in
        // All to the same place.
        let target = unsafe InlineArray<512, iovec>(repeating: iovec(iov_base: byte, iov_len: 1))
        let source = unsafe InlineArray<512, iovec> { index in
          let offset = max(0, min(offset(done + min(index, number - 1)), self.count - 1))
          return unsafe iovec(iov_base: base + offset, iov_len: 1)
        }
        return unsafe target.span.withUnsafeBufferPointer { to in
          unsafe source.span.withUnsafeBufferPointer { from in
            unsafe clinux_probe(to.baseAddress, from.baseAddress, UInt(number))
          }
        }
      }
      // An error of another kind says nothing of the memory.
      if read < 0, Errno.current != .badAddress { return count }
      done += max(0, read)
      guard read == number else { return done }
    }
    return count
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
