import CLinux
import Glibc
import Host

/// A running `novmm`.
///
/// It cannot outlive this process: it polls the read end of a pipe whose write end is only here, and ends at the end of
/// file, however we end. It has a session of its own, so that a terminal's signals reach only `novm`.
package final class MachineProcess: PollSource {
  let identifier: pid_t
  private let lifeline: FileDescriptor
  private let errors: FileDescriptor
  private var partialLine: [UInt8] = []
  private var messages: [String] = []

  /// Called for each line that novmm writes to its standard error, but for warnings.
  package var onMessage: (String) -> Void = { _ in }
  /// Called for each line that is for the machine's user while it goes on. It has nothing to do with the machine's end.
  package var onWarning: (String) -> Void = { _ in }
  /// How it ended; nil while it runs.
  package private(set) var end: MachineEnd?

  /// - Parameters:
  ///   - arguments: without the program's name and without `--lifeline`.
  ///   - inherited: descriptors that novmm gets under the same numbers.
  ///   - seesOthers: whether it may see the host's other processes, if this one can have it otherwise.
  package init(
    program: String, arguments: [[UInt8]], inherited: [Int32], seesOthers: Bool = true
  ) throws(NovmError) {
    let lifeline = try Program.pipe()
    let errors = try Program.pipe()
    let watched = lifeline.reader.raw
    identifier = try Program.start(
      program, arguments + [Array("--lifeline".utf8), Array("fd:\(watched)".utf8)], errors: errors.writer.raw,
      inherited: inherited + [watched], seesOthers: seesOthers)
    self.lifeline = lifeline.takeWriter()
    self.errors = errors.takeReader()
    do { try self.errors.setNonblocking() } catch { throw .call("fcntl", error) }
  }

  deinit { kill() }

  /// Ends it at once, whatever it is doing.
  package func kill() {
    guard end == nil else { return }
    Glibc.kill(identifier, SIGKILL)
    var status: Int32 = 0
    while unsafe waitpid(identifier, &status, 0) < 0 && Errno.current == Errno(EINTR) {}
    end = MachineEnd(waitStatus: status, messages: messages)
  }

  package func signal(_ number: Int32) {
    if end == nil { Glibc.kill(identifier, number) }
  }

  /// Its standard error ends when it does.
  package var interest: PollInterest? { end == nil ? PollInterest(errors.raw, POLLIN) : nil }

  package func ready(_ events: Int32) throws(NovmError) {
    var bytes: [UInt8] = []
    switch InputChunk.read(errors.raw, into: &bytes, limit: 4096) {
    case .none:
      return
    case .bytes:
      for byte in bytes {
        if byte == UInt8(ascii: "\n") || partialLine.count == 4096 { takeLine() }
        if byte != UInt8(ascii: "\n") { partialLine.append(byte) }
      }
    case .end:
      if !partialLine.isEmpty { takeLine() }
      var status: Int32 = 0
      while unsafe waitpid(identifier, &status, 0) < 0 && Errno.current == Errno(EINTR) {}
      end = MachineEnd(waitStatus: status, messages: messages)
    }
  }

  /// Before what novmm has to say while the machine goes on (docs/architecture.md, "Network cards").
  private static let warning = "warning: "

  private func takeLine() {
    var line = String(decoding: partialLine, as: UTF8.self)
    if line.hasPrefix("novmm: ") { line.removeFirst("novmm: ".count) }
    partialLine = []
    if line.hasPrefix(Self.warning) { return onWarning(String(line.dropFirst(Self.warning.count))) }
    messages.append(line)
    if messages.count > 50 { messages.removeFirst() }
    onMessage(line)
  }
}
