import Changes
import Glibc
import Host
import NovmKit
import Store

extension ChangedMachine {
  init(_ record: MachineRecord) throws(NovmError) { try self.init(record, of: Machines.all) }

  /// The same with a line that tells how far it is.
  func applyShown(_ changes: ChangeSet, overwriting: Bool, isAll: Bool) throws(NovmError) {
    let line = ProgressLine()
    defer { line.clear() }
    var done = 0
    try apply(changes, overwriting: overwriting, isAll: isAll) { change in
      done += 1
      line.show("applying: \(done) of \(changes.changes.count)")
    }
  }
}

extension [Change] {
  /// How many there are, in words.
  var countText: String { count == 1 ? "1 change" : "\(count) changes" }
}

extension Change {
  /// As `docker diff` has it.
  var line: String {
    let letter =
      switch kind {
      case .added: "A"
      case .changed: "C"
      case .deleted: "D"
      }
    let detail = parts.isEmpty || parts == [.content] ? "" : " (\(parts.names.joined(separator: ", ")))"
    let arrow = target.map { " -> \(String(printable: $0))" } ?? ""
    return "\(letter) \(String(printable: path))\(arrow)\(detail)"
  }
}

/// What `diff --json` prints of a change.
struct ChangeReport: Encodable {
  var path: String
  var kind: String
  var file: String
  var size: UInt64?
  /// Of a symbolic link.
  var target: String?
  var differs: [String]?

  init(_ change: Change) {
    path = ByteString.string(change.path)
    kind = change.kind.rawValue
    file = change.file.rawValue
    size = change.size
    target = change.target.map(ByteString.string)
    differs = change.kind == .changed ? change.parts.names : nil
  }
}

/// Asks the person at the terminal, whatever standard input is.
enum Question {
  /// - Returns: nil where there is no terminal; empty for no answer.
  static func ask(_ text: String) -> String? {
    guard let terminal = try? FileDescriptor.open("/dev/tty", O_RDWR | O_NOCTTY) else { return nil }
    guard (try? terminal.writeAll(Array(text.utf8))) != nil else { return nil }
    var answer: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1)
    while answer.count < 100, let count = try? terminal.read(into: &buffer), count == 1, buffer[0] != 10 {
      answer.append(buffer[0])
    }
    return String(decoding: answer, as: UTF8.self).lowercased().filter { !$0.isWhitespace }
  }
}
