import ArgumentParser
import Glibc
import NovmKit

struct CopyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cp",
    abstract: "Copy files between this host and a machine that runs.",
    usage: """
      novm cp [OPTIONS] MACHINE:PATH DESTINATION|-
      novm cp [OPTIONS] SOURCE|- MACHINE:PATH
      """,
    discussion: """
      A directory is copied with all that is in it: into the destination if that is a directory, under its own name; else \
      the destination becomes its copy. SOURCE/. stands for what is in a directory. - is a tar archive, on standard output \
      or input. A path that has a : and belongs to the host is written with ./ before it.

      Owners are yours on the host and root in the machine, unless --archive is given. On the host set-id bits are never \
      kept, and devices are refused.

      Examples:
        novm cp box:/var/log ./logs
        novm cp -a ./site/. web:/srv/site
        novm cp box:/etc - | tar t
      """)

  @Flag(name: [.short, .long], help: "Keep users and groups, by number.")
  var archive = false

  @Flag(name: [.customShort("L"), .long], help: "Copy what a symbolic link leads to, if SOURCE is one.")
  var followLink = false

  @Argument(help: "What to copy.", completion: .places)
  var source: String

  @Argument(help: "Where it goes.", completion: .places)
  var destination: String

  func run() throws {
    let progress = CopyProgress()
    defer { progress.clear() }
    switch (CopyPlace(source), CopyPlace(destination)) {
    case (.machine(let name, let path), .machine):
      throw CommandFailure("between machines, go by an archive: novm cp \(name):\(path) - | novm cp - MACHINE:PATH")
    case (.machine(let name, let path), .host(let place)):
      if archive, geteuid() != 0 {
        throw CommandFailure(
          "--archive: only root can give files away; leave it out, or copy to - and keep the archive")
      }
      let sink = HostFileWriter(ByteString.bytes(place), keepsOwners: archive)
      try copy(name, progress).read(ByteString.bytes(path), followsLink: followLink, into: sink)
    case (.machine(let name, let path), .stream):
      if isatty(STDOUT_FILENO) == 1 {
        throw CommandFailure("an archive is not for a terminal; lead it to a file or a pipe")
      }
      let sink = try TarSink(STDOUT_FILENO, path: "standard output")
      try copy(name, progress).read(ByteString.bytes(path), followsLink: followLink, into: sink)
    case (.host(let place), .machine(let name, let path)):
      let files = try HostFiles(ByteString.bytes(place), followsLink: followLink)
      try copy(name, progress).write(files, to: ByteString.bytes(path), keepsOwners: archive)
    case (.stream, .machine(let name, let path)):
      if isatty(STDIN_FILENO) == 1 {
        throw CommandFailure("an archive does not come from a terminal; give a file or a pipe")
      }
      let files = TarFiles(STDIN_FILENO, path: "standard input")
      try copy(name, progress).write(files, to: ByteString.bytes(path), keepsOwners: archive)
    case (.host, _), (.stream, _):
      throw ValidationError("one of the two must be of a machine: MACHINE:PATH")
    }
  }

  private func copy(_ name: String, _ progress: CopyProgress) throws -> FileCopy {
    let (_, vsock) = try Machines.running(name)
    return FileCopy(vsock: vsock) { progress.show($0) }
  }
}

/// One end of a copy.
enum CopyPlace: Equatable {
  case host(String)
  /// `MACHINE:PATH`.
  case machine(String, String)
  /// An archive on standard input or output.
  case stream

  init(_ text: String) {
    guard text != "-" else {
      self = .stream
      return
    }
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, !parts[0].isEmpty, !parts[0].contains("/"), !text.hasPrefix(".") else {
      self = .host(text)
      return
    }
    self = .machine(String(parts[0]), parts[1].isEmpty ? "/" : String(parts[1]))
  }
}

extension CompletionKind {
  /// Machines with a colon behind them, and files of the host.
  static var places: CompletionKind {
    .custom { _, _, prefix in
      let machines = ((try? Machines.list().filter(\.isAlive).map { $0.name + ":" }) ?? []).sorted()
      return machines.filter { $0.hasPrefix(prefix) } + CommandNames.files(beginning: prefix)
    }
  }
}

/// How much is copied, once that takes longer than a moment. From any thread, one at a time.
private final class CopyProgress: @unchecked Sendable {
  private let line = ProgressLine()
  private let start = MonotonicTime.now
  private var shown = MonotonicTime.now

  func show(_ bytes: UInt64) {
    let now = MonotonicTime.now
    guard now.nanoseconds - start.nanoseconds > 1_000_000_000, now.nanoseconds - shown.nanoseconds > 200_000_000 else {
      return
    }
    shown = now
    line.show("copying: \(Amount.text(bytes))")
  }

  func clear() { line.clear() }
}
