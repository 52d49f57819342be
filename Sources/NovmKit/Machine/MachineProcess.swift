import CLinux
import Glibc
import Host

/// A running `novmm`.
///
/// It cannot outlive this process: it polls the read end of a pipe whose write end is only here, and ends at the end of
/// file, however we end. It has a session of its own, so that a terminal's signals reach only `novm`.
package final class MachineProcess: PollSource {
  private let identifier: pid_t
  private let lifeline: FileDescriptor
  private let errors: FileDescriptor
  private var partialLine: [UInt8] = []
  private var messages: [String] = []

  /// Called for each line that novmm writes to its standard error.
  package var onMessage: (String) -> Void = { _ in }
  /// How it ended; nil while it runs.
  package private(set) var end: MachineEnd?

  /// - Parameters:
  ///   - arguments: without the program's name and without `--lifeline`.
  ///   - inherited: descriptors that novmm gets under the same numbers.
  package init(program: String, arguments: [[UInt8]], inherited: [Int32]) throws(NovmError) {
    let lifeline = try Pipe()
    let errors = try Pipe()
    let watched = lifeline.reader.raw
    let argv = [Array(program.utf8)] + arguments + [Array("--lifeline".utf8), Array("fd:\(watched)".utf8)]
    let status: Int32
    (status, identifier) = Self.spawn(program, argv, errors: errors.writer.raw, inherited: inherited + [watched])
    guard status == 0 else {
      if status == ENOENT { throw .programMissing("novmm", lookedIn: program) }
      throw .damagedProgram(program, Errno(status))
    }
    self.lifeline = lifeline.takeWriter()
    self.errors = errors.takeReader()
    do { try self.errors.setNonblocking() } catch { throw .call("fcntl", error) }
  }

  deinit {
    if end == nil {
      kill(identifier, SIGKILL)
      waitpid(identifier, nil, 0)
    }
  }

  package func signal(_ number: Int32) {
    if end == nil { kill(identifier, number) }
  }

  /// Its standard error ends when it does.
  package var interest: PollInterest? { end == nil ? PollInterest(errors.raw, POLLIN) : nil }

  package func ready(_ events: Int32) throws(NovmError) {
    switch InputChunk.read(errors.raw, limit: 4096) {
    case .none:
      return
    case .bytes(let bytes):
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

  private func takeLine() {
    var line = String(decoding: partialLine, as: UTF8.self)
    if line.hasPrefix("novmm: ") { line.removeFirst("novmm: ".count) }
    partialLine = []
    messages.append(line)
    if messages.count > 50 { messages.removeFirst() }
    onMessage(line)
  }

  private static func spawn(
    _ program: String, _ arguments: [[UInt8]], errors: Int32, inherited: [Int32]
  ) -> (status: Int32, identifier: pid_t) {
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    unsafe posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    unsafe posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0)
    unsafe posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO)
    // Onto itself: glibc then only clears close-on-exec, as POSIX.1-2024 asks.
    for descriptor in inherited { unsafe posix_spawn_file_actions_adddup2(&actions, descriptor, descriptor) }

    var attributes = posix_spawnattr_t()
    unsafe posix_spawnattr_init(&attributes)
    defer { unsafe posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    var all = sigset_t()
    unsafe sigemptyset(&none)
    unsafe sigfillset(&all)
    unsafe posix_spawnattr_setsigmask(&attributes, &none)
    unsafe posix_spawnattr_setsigdefault(&attributes, &all)
    // POSIX_SPAWN_SETSID is 0x80 in glibc, shown only with _GNU_SOURCE.
    let flags = Int16(POSIX_SPAWN_SETSIGMASK) | Int16(POSIX_SPAWN_SETSIGDEF) | 0x80
    unsafe posix_spawnattr_setflags(&attributes, flags)

    var identifier: pid_t = 0
    var argv = unsafe arguments.map { unsafe strdup($0) } + [nil]
    defer { for unsafe argument in unsafe argv { unsafe free(argument) } }
    let status = unsafe posix_spawn(&identifier, program, &actions, &attributes, &argv, environ)
    return (status, identifier)
  }

  private static func strdup(_ bytes: [UInt8]) -> UnsafeMutablePointer<CChar>? {
    unsafe (bytes + [0]).withUnsafeBytes { unsafe Glibc.strdup($0.baseAddress!.assumingMemoryBound(to: CChar.self)) }
  }
}
