import Glibc
import Host

/// A file of bounded size that is appended to; what was before lies beside it, in `PATH.1`.
final class RotatedFile {
  private let path: String
  private let limit: Int
  private var file: FileDescriptor
  private var size: Int

  /// - Parameter limit: the size from which on a new file is begun, in bytes; there are two at most.
  init(_ path: String, limit: Int) throws(NovmError) {
    self.path = path
    self.limit = limit
    file = try Self.open(path)
    size = (try? file.regularFileSize()) ?? 0
  }

  func append(_ bytes: [UInt8]) {
    if size >= limit { rotate() }
    // A full disk loses what was to be kept, not the machine.
    try? file.writeAll(bytes)
    size += bytes.count
  }

  private func rotate() {
    guard unsafe rename(path, "\(path).1") == 0, let next = try? Self.open(path) else { return }
    file = next
    size = 0
  }

  /// Opens such a file to append to it beside others.
  static func open(_ path: String) throws(NovmError) -> FileDescriptor {
    do {
      return try FileDescriptor.open(path, O_WRONLY | O_CREAT | O_APPEND, mode: 0o600)
    } catch {
      throw .system(doing: "open", path: path, error)
    }
  }
}
