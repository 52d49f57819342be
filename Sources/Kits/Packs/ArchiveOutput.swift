import CArchive
import Host

/// Where the bytes of an archive go: to a file, if there is one, and into a digest.
package final class ArchiveOutput {
  private let file: Int32?
  private var hash = SHA256()
  package private(set) var count: UInt64 = 0
  private(set) var error: Errno?

  package init(file: Int32?) { self.file = file }

  /// For `archive_write_open`.
  func write(_ bytes: UnsafeRawBufferPointer) -> Int {
    let array = unsafe [UInt8](bytes)
    if let file {
      do throws(Errno) {
        // A descriptor of our own, so that nothing is closed that is not ours.
        try FileDescriptor.duplicate(of: file).writeAll(array)
      } catch {
        self.error = error
        return -1
      }
    }
    hash.update(array)
    count += UInt64(array.count)
    return array.count
  }

  package func finish() -> Digest { hash.digest() }
}
