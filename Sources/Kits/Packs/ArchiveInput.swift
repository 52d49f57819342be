import CArchive
import Glibc
import Host

/// Bytes that are read front to back.
package protocol ByteSource: AnyObject {
  /// Fills a buffer; fewer bytes than fit are no end, none is.
  func read(into buffer: UnsafeMutableRawBufferPointer) throws(PackError) -> Int
}

/// The bytes of an open file or pipe.
package final class FileBytes: ByteSource {
  private let file: Int32
  private let path: [UInt8]

  /// - Parameter path: for errors.
  package init(_ file: Int32, path: [UInt8]) {
    self.file = file
    self.path = path
  }

  package func read(into buffer: UnsafeMutableRawBufferPointer) throws(PackError) -> Int {
    var got = 0
    repeat {
      got = unsafe Glibc.read(file, buffer.baseAddress, buffer.count)
    } while got < 0 && Errno.current == .interrupted
    guard got >= 0 else { throw .system(operation: .read, path: path, .current) }
    return got
  }
}

/// The bytes of an archive on their way to libarchive: counted and hashed.
///
/// Safe: the buffer is this value's alone, and libarchive reads of it only what a read filled.
@safe package final class ArchiveInput {
  private(set) var count: UInt64 = 0
  private(set) var error: PackError?
  private var hash = SHA256()
  private let source: any ByteSource
  private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
  private let progress: (UInt64) -> Void

  package init(_ source: any ByteSource, progress: @escaping (UInt64) -> Void = { _ in }) {
    self.source = source
    self.progress = progress
  }

  deinit { unsafe buffer.deallocate() }

  /// The next bytes, for `archive_read_open`.
  func next(_ place: UnsafeMutablePointer<UnsafeRawPointer?>?) -> Int {
    let got: Int
    do throws(PackError) {
      got = try unsafe source.read(into: buffer)
    } catch {
      self.error = error
      return -1
    }
    unsafe place?.pointee = UnsafeRawPointer(buffer.baseAddress)
    hash.update(unsafe [UInt8](UnsafeRawBufferPointer(rebasing: buffer[..<got])))
    count += UInt64(got)
    progress(count)
    return got
  }

  /// Reads what is left, and tells the digest of it all.
  package func finish() throws(PackError) -> Digest { try finish(atMost: .max)! }

  /// Reads what libarchive left, and tells the digest of it all; nil if that is more than `limit` bytes, which are no archive's:
  /// some megabytes may stand for terabytes of zeros.
  package func finish(atMost limit: UInt64) throws(PackError) -> Digest? {
    var left = limit
    while true {
      let got = unsafe next(nil)
      if let error { throw error }
      if got == 0 { return hash.digest() }
      guard got <= left else { return nil }
      left -= UInt64(got)
    }
  }
}
