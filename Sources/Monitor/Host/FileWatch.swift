import CLinux
import Glibc

/// Tells when somebody writes to files or shortens them: inotify(7), non-blocking. It costs nothing until then.
package final class FileWatch: Sendable {
  private let descriptor: FileDescriptor

  package init() throws(Errno) {
    descriptor = FileDescriptor(owning: try checked(clinux_inotify_init()))
  }

  /// Readable when there is something to tell.
  package var raw: Int32 { descriptor.raw }

  /// Watches an open file, by whatever name it has or none; the same number for the same file each time.
  package func add(_ file: Int32) throws(Errno) -> Int32 {
    try checked(clinux_inotify_add(descriptor.raw, file))
  }

  /// Watches a directory for files that get their names by rename(2), and for its own end.
  package func add(directory path: String) throws(Errno) {
    try checked(unsafe path.withCString { unsafe clinux_inotify_add_directory(descriptor.raw, $0) })
  }

  package func remove(_ number: Int32) {
    clinux_inotify_remove(descriptor.raw, number)
  }

  /// Takes what there is to tell; false if that was nothing.
  package func drain() -> Bool {
    var some = false
    var buffer = InlineArray<4096, UInt8>(repeating: 0)
    var span = buffer.mutableSpan
    while unsafe span.withUnsafeMutableBufferPointer({ unsafe Glibc.read(descriptor.raw, $0.baseAddress, 4096) }) > 0 {
      some = true
    }
    return some
  }
}
