import FoundationEssentials
import Glibc
import Host
import Store

/// What a machine's command writes, kept in two files of bounded size: `log`, and `log.1` with what was before it.
///
/// Each line is as the Kubernetes container runtime interface has it: time (RFC 3339, UTC, nanoseconds), `stdout` or
/// `stderr`, `F` for a full line or `P` for a part of one, and the line's bytes, whatever they are.
package final class MachineLog {
  package enum Name: String, Sendable {
    case output = "stdout"
    case error = "stderr"
  }

  private let path: String
  private var file: FileDescriptor
  private var size: Int
  private var streams: [Stream] = []

  package init(_ path: String) throws(NovmError) {
    self.path = path
    file = try Self.open(path)
    size = (try? file.regularFileSize()) ?? 0
  }

  /// Where a stream of the command goes.
  func stream(_ name: Name) -> some CommandOutput {
    let stream = Stream(name, self)
    streams.append(stream)
    return stream
  }

  /// Writes what was begun and had no newline.
  package func end() {
    for stream in streams { stream.end() }
  }

  /// The size from which on a new file is begun, in bytes; there are two at most.
  private static let limit = 8 << 20

  private func append(_ name: Name, isFull: Bool, _ line: ArraySlice<UInt8>) {
    if size >= Self.limit { rotate() }
    let record = Array("\(LogTime.now.text) \(name.rawValue) \(isFull ? "F" : "P") ".utf8) + line + [UInt8(ascii: "\n")]
    // A full disk loses the log, not the command.
    try? file.writeAll(record)
    size += record.count
  }

  private func rotate() {
    guard unsafe rename(path, "\(path).1") == 0, let next = try? Self.open(path) else { return }
    file = next
    size = 0
  }

  private static func open(_ path: String) throws(NovmError) -> FileDescriptor {
    do {
      return try FileDescriptor.open(path, O_WRONLY | O_CREAT | O_APPEND, mode: 0o600)
    } catch {
      throw .system(doing: "open", path: path, error)
    }
  }

  /// Where the kernel's log goes if the machine has it shown.
  static func console(_ directory: MachineDirectory) throws(NovmError) -> FileDescriptor {
    try open(directory.console)
  }

  private final class Stream: ImmediateOutput {
    private let name: Name
    private let log: MachineLog
    private var partial: [UInt8] = []

    init(_ name: Name, _ log: MachineLog) {
      self.name = name
      self.log = log
    }

    func write(_ bytes: ArraySlice<UInt8>) {
      var rest = bytes
      while let newline = rest.firstIndex(of: UInt8(ascii: "\n")) {
        log.append(name, isFull: true, partial + rest[..<newline])
        partial = []
        rest = rest[(newline + 1)...]
      }
      partial += rest
      while partial.count >= Self.limit {
        log.append(name, isFull: false, partial[..<Self.limit])
        partial.removeFirst(Self.limit)
      }
    }

    func end() {
      if !partial.isEmpty { log.append(name, isFull: false, partial[...]) }
      partial = []
    }

    /// The longest line in one piece.
    private static let limit = 16 << 10
  }
}

extension MachineDirectory {
  var log: String { "\(path)/log" }
  var console: String { "\(path)/console" }
}
