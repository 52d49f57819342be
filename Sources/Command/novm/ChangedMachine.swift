import Changes
import Glibc
import Host
import NovmKit
import Store

/// What a kept machine wrote, as `diff`, `apply`, `discard` and `run --try` handle it.
struct ChangedMachine {
  let record: MachineRecord
  let trees: MachineTrees

  init(_ record: MachineRecord) throws {
    self.record = record
    // A kernel that is gone leaves its modules out of the comparison, no more.
    let kernel = try MachineDefinition(record).flatMap { definition in
      let request = try MachineRequest(definition.machine, directory: Array("/".utf8))
      return try? Machines.kernel(for: request)
    }
    trees = try MachineTrees(record, kernel: kernel, packs: PackCommand.store)
  }

  /// Removes what a machine wrote that does not run, and keeps the machine.
  func discard() throws(NovmError) {
    do throws(StoreError) {
      let directory = try Machines.store.open(record)
      try directory.discardWrites()
      try directory.renewBaseline()
    } catch {
      throw .store(error)
    }
  }

  /// Applies changes to a machine that does not run. If they are all that there were, what the machine wrote is discarded.
  func apply(_ changes: ChangeSet, overwriting: Bool, isAll: Bool) throws {
    let directory: MachineDirectory
    do { directory = try Machines.store.open(record) } catch { throw NovmError.store(error) }
    guard let baseline = record.baseline else { throw NovmError.machineDefinition("\(record.path)/lock") }
    let line = ProgressLine()
    defer { line.clear() }
    var done = 0
    try trees.apply(changes, since: baseline, overwriting: overwriting) { change in
      done += 1
      line.show("applying: \(done) of \(changes.changes.count)")
    }
    do throws(StoreError) {
      if isAll { try directory.discardWrites() }
      try directory.renewBaseline()
    } catch {
      throw NovmError.store(error)
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
