import Glibc
import Host

/// What a short-lived program wrote, and how it ended.
struct ProgramOutput {
  var output = ""
  var errors = ""
  /// nil if it was still running at the limit, and was killed.
  var exitStatus: Int32?

  /// Runs a program to its end.
  ///
  /// - Parameter limit: milliseconds after which it is killed.
  init(of program: String, _ arguments: [String], limit: UInt64) throws(NovmError) {
    let output = try Collector()
    let errors = try Collector()
    let identifier = try Program.start(
      program, arguments.map { Array($0.utf8) }, output: output.writer, errors: errors.writer)
    output.closeWriter()
    errors.closeWriter()
    let loop = PollLoop()
    loop.add(output)
    loop.add(errors)
    let ended = try loop.run(until: .after(milliseconds: limit)) { output.isAtEnd && errors.isAtEnd }
    if !ended { kill(identifier, SIGKILL) }
    var status: Int32 = 0
    while unsafe waitpid(identifier, &status, 0) < 0 && Errno.current == Errno(EINTR) {}
    if ended { exitStatus = status & 0x7f == 0 ? status >> 8 & 0xff : 128 + status & 0x7f }
    self.output = output.text
    self.errors = errors.text
  }

  private final class Collector: PollSource {
    private let reader: FileDescriptor
    private(set) var writer: Int32
    private var bytes: [UInt8] = []
    private(set) var isAtEnd = false

    init() throws(NovmError) {
      let pipe = try Program.pipe()
      writer = fcntl(pipe.writer.raw, F_DUPFD_CLOEXEC, 3)
      reader = pipe.takeReader()
    }

    func closeWriter() { close(writer) }

    var text: String { String(decoding: bytes, as: UTF8.self) }

    var interest: PollInterest? { isAtEnd ? nil : PollInterest(reader.raw, POLLIN) }

    func ready(_ events: Int32) throws(NovmError) {
      let before = bytes.count
      switch InputChunk.read(reader.raw, into: &bytes, limit: 4096) {
      case .none: break
      case .end: isAtEnd = true
      case .bytes: if before >= 1 << 16 { bytes.removeLast(bytes.count - before) }
      }
    }
  }
}
