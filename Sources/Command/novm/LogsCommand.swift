import ArgumentParser
import FoundationEssentials
import Glibc
import NovmKit
import Store

struct LogsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "logs",
    abstract: "Print what a machine's command wrote.",
    discussion: """
      Of a machine in the background: standard output and standard error each to its own. The last 8 MiB at least are \
      kept. --console prints the kernel's log instead, 1 MiB of it at least: how it booted, and errors since then; with \
      --com1 all that it has said. --network prints what its network was refused (--allow, --deny), each once. A terminal \
      is shown what would steer it as \\x1b, unless --raw is given.

      Examples:
        novm logs --follow web
        novm logs --since 10m --timestamps web
      """)

  @Flag(name: [.short, .long], help: "Go on until the machine has ended.")
  var follow = false

  @Option(
    help: ArgumentHelp(
      "Only what is newer: a time (2026-11-20T18:00:00Z), or how long ago (90s, 10m, 2h, 1d).", valueName: "when"))
  var since: String?

  @Option(
    name: [.customShort("n", allowingJoined: true), .long],
    help: ArgumentHelp("Only the last so many lines.", valueName: "lines"))
  var tail: Int?

  @Flag(name: [.short, .long], help: "Put the time before each line.")
  var timestamps = false

  @Flag(help: "Print the kernel's log.")
  var console = false

  @Flag(help: "Print what the machine's network was refused.")
  var network = false

  @Flag(help: "Write what the machine wrote as it is, to a terminal too.")
  var raw = false

  @Argument(help: "The machine's name or identifier.", completion: .machines)
  var machine: String

  private var start: LogTime? { since.flatMap { Self.time($0, now: .now) } }

  func validate() throws {
    if let since, start == nil {
      throw ValidationError(
        "--since: '\(since)' is no time; give one such as 2026-11-20T18:00:00Z, or 90s, 10m, 2h, 1d")
    }
    if console, network { throw ValidationError("--console, --network: one of them at a time") }
    if console || network, follow || timestamps || since != nil {
      throw ValidationError(
        "--\(console ? "console" : "network"): goes with --tail alone; leave out --follow, --since and --timestamps")
    }
    if let tail, tail < 0 { throw ValidationError("--tail: \(tail) is not possible; give 0 lines or more") }
  }

  func run() throws {
    let record = try Machines.find(machine)
    let (output, errors) = (ForeignOutput(STDOUT_FILENO, isRaw: raw), ForeignOutput(STDERR_FILENO, isRaw: raw))
    if console { return try print("console", of: record, to: output) }
    if network { return try print(NetworkLog.file, of: record, to: output) }
    func write(_ entry: MachineLogReader.Entry) throws {
      var line = timestamps ? Array("\(entry.time.text) ".utf8) : []
      line += entry.bytes
      if entry.isFull { line.append(UInt8(ascii: "\n")) }
      try (entry.name == .output ? output : errors).write(line)
    }
    let reader = MachineLogReader(record)
    let start = start
    var entries: [MachineLogReader.Entry] = []
    reader.readAll { entry in
      if let start, entry.time < start { return }
      // More than is asked for is not held.
      if let tail, entries.count > 2 * tail + 1000 { entries.removeFirst(entries.count - tail) }
      entries.append(entry)
    }
    for entry in entries.suffix(tail ?? .max) { try write(entry) }
    func finish() throws { for each in [output, errors] { try each.finish() } }
    while follow {
      // Looked at first: what was written before the end is read after it.
      let isAlive = try Machines.list().contains { $0.identifier == record.identifier && $0.isAlive }
      var failure: (any Error)?
      reader.readNew { entry in
        do { try write(entry) } catch { failure = error }
      }
      if let failure { throw failure }
      if !isAlive { break }
      // A carriage return that nothing has followed by now ends a line of somebody's progress.
      try finish()
      usleep(100_000)
    }
    try finish()
  }

  private func print(_ file: String, of record: MachineRecord, to output: ForeignOutput) throws {
    let log = ["\(file).1", file].flatMap { record.read($0) ?? [] }
    defer { try? output.finish() }
    guard let tail else { return try output.write(log) }
    let ended = log.last == UInt8(ascii: "\n") ? log.dropLast() : log[...]
    let lines = ended.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).suffix(tail)
    try output.write(lines.flatMap { $0 + [UInt8(ascii: "\n")] })
  }

  /// - Parameter text: RFC 3339 in UTC, or a number with s, m, h or d.
  static func time(_ text: String, now: LogTime) -> LogTime? {
    guard text.last?.isLetter == true, text.last != "Z", let span = TimeSpan(text) else { return LogTime(text) }
    return LogTime(seconds: now.seconds - min(span.seconds, now.seconds), nanoseconds: now.nanoseconds)
  }
}
