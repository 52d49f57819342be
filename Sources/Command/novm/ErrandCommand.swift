import ArgumentParser
import Glibc
import Host
import Images
import Novm
import NovmKit
import Packs
import Registry

/// The process that does something for a program which has loaded libnovm.
struct ErrandCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: Errand.command, abstract: "Do something for a library (for novm's own use).", shouldDisplay: false)

  @Argument var report: Int32
  @Argument var words: [String]

  func run() throws {
    guard let errand = Errand(words) else { throw ValidationError("for novm's own use") }
    let teller = ErrandTeller(report)
    do {
      try perform(errand, teller)
    } catch {
      teller.tell(.failed(Self.failure(error)))
      throw ExitCode(CommandFailure.toolFailed)
    }
  }

  /// What reads an archive fails by what the archive is, the caller's argument, unless it is the host or the store.
  static func failure(_ error: any Error) -> Failure {
    guard let failure = error as? CommandFailure else { return Failure(any: error) }
    guard let cause = failure.cause, [.system, .missing, .taken, .inUse].contains(cause.code) else {
      return Failure(.argument, failure.message)
    }
    return Failure(cause.code, failure.message, about: cause.subject, number: cause.number)
  }

  private func perform(_ errand: Errand, _ teller: ErrandTeller) throws {
    let words = errand.words.map(ByteString.string)
    switch (errand.task, words.count) {
    case (.pullImage, 1):
      let image = try ImagePull(Registries.access(), registry: Registries.chosen, teller).pull(words[0])
      teller.tell(.done(image.id.description))
    case (.importPack, 4):
      let line = ProgressLine(to: teller.say)
      let store = PackCommand.store
      let options = try PackMakingOptions.parse(words[3].isEmpty ? [] : ["--\(words[3])"])
      let name = words[1].isEmpty ? ArchiveName(words[0]).stem : words[1]
      if !options.replace { try store.requireFree(name) }
      let digest = Digest(words[2])
      if digest == nil, !words[2].isEmpty {
        throw Failure(.argument, "digest: give sha256: and 64 hexadecimal digits", about: "digest")
      }
      let fetched = try FetchedFile(
        words[0], digest: digest, directory: store.directory, limit: store.room, line)
      let patterns = try options.patterns()
      try options.pack(name, of: fetched, patterns, digest: digest, limits: PackLimits(bytes: store.room), line) {
        teller.tell(.done($0.name))
      }
    default: throw ValidationError("for novm's own use")
    }
  }
}

/// Where an errand's reports go, for a signal's handler.
nonisolated(unsafe) private var watched: Int32 = -1

/// Tells whoever waits for an errand how it goes, and ends with them.
final class ErrandTeller: PullAudience {
  private let writer: FileDescriptor
  private var layers: [(name: String, size: UInt64)] = []
  /// When something was told of a layer that is on its way.
  private var last = MonotonicTime.now
  private static let pause: UInt64 = 200

  init(_ descriptor: Int32) {
    writer = FileDescriptor(owning: descriptor)
    // It is not for nofetch and decoders, which would keep it open.
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    // A write would tell, too, but nothing is written while a server is waited for. A thread would be one too many for the
    // namespaces of who is confined.
    watched = descriptor
    signal(SIGIO) { _ in ErrandTeller.endWithoutReader() }
    _ = fcntl(descriptor, F_SETOWN, getpid())
    _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_ASYNC)
    Self.endWithoutReader()
  }

  /// A handler of a signal's: it calls what signal-safety(7) allows. SIGIO comes also when a full pipe was read.
  private static func endWithoutReader() {
    var interest = pollfd(fd: watched, events: 0, revents: 0)
    guard poll(&interest, 1, 0) > 0, interest.revents & Int16(POLLERR) != 0 else { return }
    // With what was started for it; one that is confined may end itself alone. The store bears it.
    kill(getsid(0) == getpid() ? 0 : getpid(), SIGKILL)
    _exit(CommandFailure.toolFailed)
  }

  func tell(_ report: Errand.Report) { try? writer.writeAll(report.line) }

  func say(_ line: String) { tell(.progress(line)) }

  func begin(_ layers: [(name: String, size: UInt64)]) { self.layers = layers }

  func take(_ place: Int, _ event: LayerPull.Event) {
    let layer = layers[place]
    switch event {
    case .known: say("\(layer.name) is here")
    case .done: say("\(layer.name) \(ByteCount.text(layer.size))")
    case .waiting: say("\(layer.name) waiting for another command")
    case .read(let count):
      guard last <= .now else { return }
      last = .after(milliseconds: Self.pause)
      say("\(layer.name) \(ByteCount.text(count)) of \(ByteCount.text(layer.size))")
    }
  }

  func end() {}
}
