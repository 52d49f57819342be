import Glibc
import Host
import Store

/// Starts a machine in the background: a process of its own looks after it (``MachineSupervisor``).
package enum MachineLauncher {
  /// What the process in the background says of its start.
  package enum Report {
    static let started: [UInt8] = Array("started".utf8)

    /// A line of an exit status and a message.
    static func failed(_ error: NovmError) -> [UInt8] { Array("\(error.exitStatus) \(error.message)".utf8) }
  }

  /// Returns once the machine runs, and its command if it has one.
  ///
  /// - Parameters:
  ///   - novm: this program's own path.
  ///   - arguments: make it the supervisor of this machine; the descriptors' numbers are put behind them.
  ///   - host: the program that this is, if it is not novm.
  ///   - deadline: no longer is waited for it; the machine is then still on its way.
  /// - Throws: ``NovmError/start(status:message:)`` with what kept it from that.
  package static func start(
    _ directory: consuming MachineDirectory, novm: String, arguments: [String], host: HostProgram? = nil,
    until deadline: MonotonicTime? = nil
  ) throws(NovmError) {
    let console = try RotatedFile.open(directory.console)
    let report = try Program.pipe()
    var words = arguments + ["\(directory.lockDescriptor)", "\(report.writer.raw)"]
    var inherited = [directory.lockDescriptor, report.writer.raw]
    if let host {
      let owner = try host.lifeline()
      defer { if let owner { close(owner) } }
      if let owner {
        words.append("\(owner)")
        inherited.append(owner)
      }
      try Program.startApart(
        novm, words.map { Array($0.utf8) }, errors: console.raw, inherited: inherited, environment: host.environment)
    } else {
      _ = try Program.start(novm, words.map { Array($0.utf8) }, errors: console.raw, inherited: inherited)
    }
    let reader = report.takeReader()
    var answer: [UInt8] = []
    while true {
      var interest = pollfd(fd: reader.raw, events: Int16(POLLIN), revents: 0)
      let count = unsafe poll(&interest, 1, deadline.map { $0.millisecondsFromNow } ?? -1)
      if count == 0 { throw .tookTooLong("the start of \(directory.name)") }
      if count < 0 { continue }
      switch InputChunk.read(reader.raw, into: &answer, limit: 4096) {
      case .bytes, .none: continue
      case .end: break
      }
      break
    }
    if answer == Report.started { return }
    let text = String(decoding: answer, as: UTF8.self)
    guard let blank = text.firstIndex(of: " "), let status = Int32(text[..<blank]) else {
      throw .start(status: 125, message: "the process that looks after the machine ended; see \(directory.console)")
    }
    throw .start(status: status, message: String(text[text.index(after: blank)...]))
  }

  /// For the supervisor: tells whoever waits in ``start(_:novm:arguments:)``, once.
  package final class Reporter {
    private var descriptor: Int32?

    package init(descriptor: Int32) {
      self.descriptor = descriptor
      // It is not for novmm.
      _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    }

    package func started() { tell(Report.started) }
    package func failed(_ error: NovmError) { tell(Report.failed(error)) }

    private func tell(_ bytes: [UInt8]) {
      guard let descriptor else { return }
      self.descriptor = nil
      let writer = FileDescriptor(owning: descriptor)
      try? writer.writeAll(bytes)
    }
  }
}
