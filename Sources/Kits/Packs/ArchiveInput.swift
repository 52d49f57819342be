import CArchive
import Glibc
import Host

/// The bytes of an archive on their way to libarchive: counted, hashed, and from a file or pipe.
///
/// Safe: the buffer is this value's alone, and libarchive reads of it only what a read filled.
@safe package final class ArchiveInput {
  let file: Int32
  private(set) var count: UInt64 = 0
  private(set) var error: Errno?
  private var hash = SHA256()
  private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
  private let progress: (UInt64) -> Void

  package init(file: Int32, progress: @escaping (UInt64) -> Void) {
    self.file = file
    self.progress = progress
  }

  deinit { unsafe buffer.deallocate() }

  /// The next bytes, for `archive_read_open`.
  func next(_ place: UnsafeMutablePointer<UnsafeRawPointer?>?) -> Int {
    var got = 0
    repeat { got = unsafe read(file, buffer.baseAddress, buffer.count) } while got < 0 && Errno.current == .interrupted
    guard got >= 0 else {
      error = .current
      return -1
    }
    unsafe place?.pointee = UnsafeRawPointer(buffer.baseAddress)
    hash.update(unsafe [UInt8](UnsafeRawBufferPointer(rebasing: buffer[..<got])))
    count += UInt64(got)
    progress(count)
    return got
  }

  /// Reads what libarchive left, and tells the digest of it all.
  func finish() throws(Errno) -> Digest {
    while true {
      let got = unsafe next(nil)
      if let error { throw error }
      if got == 0 { return hash.digest() }
    }
  }
}
