import CLinux
import Glibc
import Host
import Store

/// Orders to the monitor of a machine that runs, by its control socket (docs/architecture.md, "Control").
package struct MonitorControl {
  package enum State: String, Sendable {
    case running, paused
  }

  private let path: String

  /// nil for a machine that does not run.
  package init?(_ record: MachineRecord) {
    guard record.isAlive, let runtime = record.runtime else { return nil }
    path = "\(runtime)/control"
  }

  /// Stops the guest's processors; returns once none runs.
  package func pause() throws(NovmError) -> State { try ask("pause") }

  /// Lets them go on.
  package func resume() throws(NovmError) -> State { try ask("resume") }

  /// Whether the guest stands still; false too where nobody can be asked.
  package var isPaused: Bool { (try? ask("status")) == .paused }

  private func ask(_ order: String) throws(NovmError) -> State {
    let socket = try UnixSocket.connect(to: path)
    let deadline = MonotonicTime.after(milliseconds: Self.patience)
    let line = Array("\(order)\n".utf8)
    _ = unsafe line.withUnsafeBytes { unsafe send(socket.raw, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    var answer: [UInt8] = []
    while answer.last != UInt8(ascii: "\n") {
      var interest = pollfd(fd: socket.raw, events: Int16(POLLIN), revents: 0)
      let count = unsafe poll(&interest, 1, deadline.millisecondsFromNow)
      if count == 0 { throw .agentSilent }
      if case .end = InputChunk.read(socket.raw, into: &answer, limit: 64) { break }
    }
    guard let state = State(rawValue: String(decoding: answer.dropLast(), as: UTF8.self)) else {
      throw .system(doing: order, path: path, Errno(EPROTO))
    }
    return state
  }

  /// In milliseconds. A monitor answers at once; on a host that is busy with much else, later.
  private static let patience: UInt64 = 10_000
}
