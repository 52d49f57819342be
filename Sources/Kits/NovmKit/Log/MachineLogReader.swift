import Glibc
import Host
import Store

/// Reads what a ``MachineLog`` kept, and goes on reading while the machine lives.
package final class MachineLogReader {
  /// One line, or a part of one.
  package struct Entry: Equatable, Sendable {
    package var time: LogTime
    package var name: MachineLog.Name
    /// Whether a newline followed.
    package var isFull: Bool
    package var bytes: ArraySlice<UInt8>

    /// nil for what is no line of a log.
    init?(_ line: ArraySlice<UInt8>) {
      let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 3, omittingEmptySubsequences: false)
      guard fields.count == 4, let time = LogTime(String(decoding: fields[0], as: UTF8.self)),
        let name = MachineLog.Name(rawValue: String(decoding: fields[1], as: UTF8.self))
      else { return nil }
      self.time = time
      self.name = name
      isFull = fields[2] == [UInt8(ascii: "F")]
      bytes = fields[3]
    }
  }

  private let record: MachineRecord
  private var file: FileDescriptor?
  private var identity: FileIdentity?
  private var partial: [UInt8] = []

  package init(_ record: MachineRecord) { self.record = record }

  private var path: String { "\(record.path)/log" }

  /// Hands over all entries that there are.
  package func readAll(_ take: (Entry) -> Void) {
    if let older = try? FileDescriptor.open("\(path).1", O_RDONLY) { drain(older, take) }
    readNew(take)
  }

  /// Hands over what has come since.
  package func readNew(_ take: (Entry) -> Void) {
    while true {
      if file == nil {
        guard let opened = try? FileDescriptor.open(path, O_RDONLY) else { return }
        file = consume opened
        identity = FileIdentity(Path(path))
      }
      // Looked at first: what is written to the old file after that is written before the new one is there.
      let isCurrent = FileIdentity(Path(path)) == identity
      drainCurrent(take)
      if isCurrent { return }
      file = nil
    }
  }

  private func drainCurrent(_ take: (Entry) -> Void) {
    guard let number = file?.raw else { return }
    drain(number, take)
  }

  private func drain(_ older: consuming FileDescriptor, _ take: (Entry) -> Void) {
    drain(older.raw, take)
    partial = []
  }

  private func drain(_ number: Int32, _ take: (Entry) -> Void) {
    while case .bytes = InputChunk.read(number, into: &partial, limit: 64 << 10) {
      var start = 0
      while let newline = partial[start...].firstIndex(of: UInt8(ascii: "\n")) {
        if let entry = Entry(partial[start..<newline]) { take(entry) }
        start = newline + 1
      }
      partial.removeFirst(start)
    }
  }
}
