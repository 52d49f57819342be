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

  private let file: RotatedFile
  private var streams: [Stream] = []

  package init(_ path: String) throws(NovmError) {
    file = try RotatedFile(path, limit: Self.limit)
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
    file.append(
      Array("\(LogTime.now.text) \(name.rawValue) \(isFull ? "F" : "P") ".utf8) + line + [UInt8(ascii: "\n")])
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
  /// What the kernel says, and what goes wrong around the machine.
  var console: String { "\(path)/console" }
  /// What became of its network.
  var network: String { "\(path)/\(NetworkLog.file)" }
}
