import Glibc
import Host
import NovmKit

/// Something that the program `novm` does in this one's place: what speaks to servers, and what reads strangers' archives, is a
/// process of its own. It ends with whoever waits for it.
package struct Errand: Equatable, Sendable {
  package enum Task: String, Sendable {
    /// Of a name.
    case pullImage = "pull-image"
    /// Of an archive, the pack's name, a digest or nothing, and `replace` or nothing.
    case importPack = "import-pack"
  }

  /// The command of novm's that does it; a descriptor for its reports and ``arguments`` stand behind it.
  package static let command = "errand"

  package let task: Task
  package let words: [[UInt8]]

  init(_ task: Task, _ words: [[UInt8]]) { (self.task, self.words) = (task, words) }

  /// nil unless they are ``arguments``.
  package init?(_ arguments: [String]) {
    guard let task = arguments.first.flatMap(Task.init), arguments.dropFirst().allSatisfy({ $0.hasPrefix("=") }) else {
      return nil
    }
    self.init(task, arguments.dropFirst().map { ByteString.bytes(String($0.dropFirst())) })
  }

  /// Words that begin so are no options.
  private var arguments: [[UInt8]] { [Array(task.rawValue.utf8)] + words.map { [UInt8(ascii: "=")] + $0 } }

  // MARK: Reports

  /// What is told of it, a line each.
  package enum Report: Equatable, Sendable {
    /// For a person.
    case progress(String)
    /// The image's identifier, or the pack's name.
    case done(String)
    case failed(Failure)

    package var line: [UInt8] {
      let words =
        switch self {
        case .progress(let text): ["progress", text]
        case .done(let text): ["done", text]
        case .failed(let failure):
          [
            "failed", "\(failure.code.rawValue)", "\(failure.number)", "\(failure.exitStatus)", failure.subject,
            failure.message,
          ]
        }
      return Array(words.map { ByteString.printable($0) }.joined(separator: "\t").utf8) + [UInt8(ascii: "\n")]
    }

    /// nil for what is none.
    package init?(_ line: some Collection<UInt8>) {
      let words = String(decoding: line, as: UTF8.self).split(separator: "\t", omittingEmptySubsequences: false)
        .map(String.init)
      switch (words.first, words.count) {
      case ("progress", 2): self = .progress(words[1])
      case ("done", 2): self = .done(words[1])
      case ("failed", 6):
        guard let code = Int32(words[1]).flatMap(Failure.Code.init), let number = Int32(words[2]),
          let status = Int32(words[3])
        else { return nil }
        self = .failed(Failure(code, words[5], about: words[4], number: number, exitStatus: status))
      default: return nil
      }
    }
  }

  // MARK: Doing it

  /// Longer lines nobody writes.
  private static let lineLimit = 1 << 16

  /// Has it done.
  ///
  /// - Parameter progress: called on this thread, at least once a second; false gives it up.
  /// - Returns: what ``Report/done(_:)`` says.
  func run(
    by machines: StoreMachines, until deadline: MonotonicTime?, _ progress: (String) -> Bool
  ) throws(Failure) -> String {
    let reader = try start(by: machines)
    var pending: [UInt8] = []
    var last = ""
    while true {
      var interest = pollfd(fd: reader.raw, events: Int16(POLLIN), revents: 0)
      let rest = deadline.map { min(1000, $0.millisecondsFromNow) } ?? 1000
      if unsafe poll(&interest, 1, rest) > 0 {
        if case .end = InputChunk.read(reader.raw, into: &pending, limit: 4096) {
          throw Failure(.machine, "the process that does it ended before it was done", about: task.rawValue)
        }
        while let end = pending.firstIndex(of: UInt8(ascii: "\n")) {
          let report = Report(pending[..<end])
          pending.removeFirst(end + 1)
          switch report {
          case .progress(let text): last = text
          case .done(let text): return text
          case .failed(let failure): throw failure
          case nil: throw Failure(.installation, "novm says what this library does not know", about: task.rawValue)
          }
        }
        if pending.count > Self.lineLimit { throw Failure(.installation, "novm says too much", about: task.rawValue) }
      }
      if !progress(last) { throw Failure(.canceled, "it was given up", about: task.rawValue) }
      if let deadline, deadline <= .now {
        throw Failure(.timedOut, "it was not done within the time that was given for it", about: task.rawValue)
      }
    }
  }

  /// Starts it.
  ///
  /// - Returns: where its reports come; once that is closed, it ends.
  private func start(by machines: StoreMachines) throws(Failure) -> FileDescriptor {
    let words = arguments
    return try told { () throws(NovmError) in
      let host = machines.host ?? HostProgram(environment: [])
      let nothing: FileDescriptor
      do throws(Errno) {
        nothing = try FileDescriptor.open("/dev/null", O_WRONLY)
      } catch {
        throw .system(doing: "open", path: "/dev/null", error)
      }
      let pipe = try Program.pipe()
      try Program.startApart(
        machines.novm, [Array(Self.command.utf8), Array("\(pipe.writer.raw)".utf8)] + words, errors: nothing.raw,
        inherited: [pipe.writer.raw], environment: host.environment)
      return pipe.takeReader()
    }
  }
}
