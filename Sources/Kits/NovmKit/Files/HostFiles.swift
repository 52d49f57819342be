import AgentProtocol
import Glibc
import Host

/// A file of the host's, or a directory with all that is in it.
///
/// The first record's path is the file's name; it is empty where the path ends in `/.`: then the transfer is of what is in
/// the directory.
package final class HostFiles: FileSource {
  private let path: [UInt8]
  private let name: [UInt8]
  private let followsLink: Bool

  /// - Parameter followsLink: whether a symbolic link stands for what it leads to.
  package init(_ path: [UInt8], followsLink: Bool) throws(NovmError) {
    let slash = UInt8(ascii: "/")
    var trimmed = path
    while trimmed.count > 1, trimmed.last == slash { trimmed.removeLast() }
    let last = Array(trimmed[((trimmed.lastIndex(of: slash) ?? -1) + 1)...])
    let isContent = last.isEmpty || last == Array(".".utf8)
    guard last != Array("..".utf8) else {
      throw .system(doing: "copy", path: String(printable: path), Errno(EINVAL))
    }
    self.path = trimmed
    name = isContent ? [] : last
    self.followsLink = followsLink || isContent || path.last == slash
  }

  package func send(to stream: FileStreamWriter) throws(NovmError) {
    try send(name, at: path, follows: followsLink, stream)
  }

  /// - Parameter path: where it is; what is deeper than the host takes for one path cannot be copied.
  private func send(
    _ name: [UInt8], at path: [UInt8], follows: Bool, _ stream: FileStreamWriter
  ) throws(NovmError) {
    // A stack of its own: a tree may be deeper than a thread's.
    var pending = [(name, path, follows)]
    while let (name, path, follows) = pending.popLast() {
      if stream.isUnread { return }
      do throws(Errno) {
        let file = try FileDescriptor.open(Path(path), OpenFlags.path | (follows ? 0 : O_NOFOLLOW))
        let status = try FileCalls.status(file.raw)
        guard var record = Self.record(status, name) else { continue }
        switch record.kind {
        case .directory:
          try begin(record, stream)
          let base = name.isEmpty ? [] : name + [UInt8(ascii: "/")]
          for child in try Self.names(file.raw).reversed() {
            pending.append((base + child, path + [UInt8(ascii: "/")] + child, false))
          }
        case .file:
          try sendFile(&record, file.raw, stream)
        case .symlink:
          let itself = FileCalls.itself
          record.target = try FileCalls.readLink(file.raw, itself.span)
          try begin(record, stream)
        default:
          try begin(record, stream)
        }
      } catch {
        throw error == Errno(EMSGSIZE)
          ? .unfitFile(path) : .system(doing: "copy", path: String(printable: path), error)
      }
    }
  }

  private func begin(_ record: FileRecord, _ stream: FileStreamWriter) throws(Errno) {
    do throws(NovmError) { try stream.begin(record) } catch { throw Errno(EMSGSIZE) }
  }

  /// - Parameter place: the file that was looked at, which the path may not lead to any more.
  private func sendFile(_ record: inout FileRecord, _ place: Int32, _ stream: FileStreamWriter) throws(Errno) {
    let file = try FileCalls.reopen(place, OpenFlags.read)
    record.size = try FileCalls.status(file.raw).length
    try begin(record, stream)
    var rest = record.size
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    while rest > 0, !stream.isUnread {
      var count = try file.read(into: &buffer)
      if count == 0 {
        // It has become shorter: what it was to have is told already.
        buffer = [UInt8](repeating: 0, count: 64 << 10)
        count = buffer.count
      }
      count = Int(min(UInt64(count), rest))
      stream.write(buffer[..<count])
      rest -= UInt64(count)
    }
  }

  private static func names(_ place: Int32) throws(Errno) -> [[UInt8]] {
    let directory = try FileCalls.reopen(place, OpenFlags.directory)
    return try FileCalls.names(directory.raw)
  }

  /// nil for a socket, which is nothing without the process behind it.
  private static func record(_ status: FileStatus, _ path: [UInt8]) -> FileRecord? {
    let kind: FileRecord.Kind
    switch status.mode & FileType.mask {
    case FileType.directory: kind = .directory
    case FileType.regular: kind = .file
    case FileType.symlink: kind = .symlink
    case FileType.fifo: kind = .fifo
    case FileType.characterDevice: kind = .characterDevice
    case FileType.blockDevice: kind = .blockDevice
    default: return nil
    }
    var record = FileRecord(kind, path: path, mode: status.mode & 0o7777)
    record.uid = status.uid
    record.gid = status.gid
    record.seconds = status.modified.seconds
    record.nanoseconds = status.modified.nanoseconds
    if kind == .characterDevice || kind == .blockDevice {
      record.major = status.specialMajor
      record.minor = status.specialMinor
    }
    return record
  }
}
