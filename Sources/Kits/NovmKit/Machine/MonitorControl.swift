import CLinux
import Egress
import Glibc
import Host
import Store

/// Orders to the monitor of a machine that runs, by its control socket (docs/architecture.md, "Control").
package struct MonitorControl {
  package enum State: String, Sendable {
    case running, paused
    /// Besides, devices have nothing under way.
    case quiesced
  }

  private let path: String
  /// In milliseconds. A monitor answers at once; on a host that is busy with much else, later.
  var patience: UInt64 = 10_000

  /// nil for a machine that does not run.
  package init?(_ record: MachineRecord) {
    guard record.isAlive, let runtime = record.runtime else { return nil }
    path = "\(runtime)/control"
  }

  init(path: String) { self.path = path }

  /// Stops the guest's processors; returns once none runs.
  package func pause() throws(NovmError) -> State { try state("pause") }

  /// Lets them go on.
  package func resume() throws(NovmError) -> State { try state("resume") }

  /// Besides, has its devices come to rest.
  func quiesce() throws(NovmError) -> State { try state("quiesce") }

  /// Writes the state of a quiesced machine to an empty file.
  ///
  /// - Throws: ``NovmError/refused(_:_:)`` with why it cannot be written.
  func save(to file: Int32) throws(NovmError) {
    let socket = try UnixSocket.connect(to: path)
    // The descriptor comes with the order's first byte.
    guard clinux_send_descriptor(socket.raw, UInt8(ascii: "s"), file) == 1 else { throw .call("sendmsg", .current) }
    let words = try answer(on: socket, to: "ave")
    if words == "saved" { return }
    throw .refused("save", words.hasPrefix("refused ") ? String(words.dropFirst(8)) : words)
  }

  /// Gives a disk more bytes, or tells the guest of those that it was given.
  ///
  /// - Parameters:
  ///   - disk: its place among the machine's, or its serial number.
  ///   - size: as large as its file or device by now if nil.
  /// - Returns: bytes.
  package func resize(_ disk: String, to size: UInt64?) throws(NovmError) -> UInt64 {
    let answer = try ask("resize \(disk)" + (size.map { " \($0)" } ?? ""))
    if let size = answer.hasPrefix("size ") ? UInt64(answer.dropFirst(5)) : nil { return size }
    guard answer.hasPrefix("refused ") else { throw .system(doing: "resize", path: path, Errno(EPROTO)) }
    throw .refused(disk, String(answer.dropFirst(8)))
  }

  /// What the guest makes the monitor hold; nil where it does not say.
  package func usage() throws(NovmError) -> MonitorUsage? { MonitorUsage(try ask("usage")) }

  /// Takes so much of the guest's memory; nil to be told only.
  package func balloon(_ size: UInt64?) throws(NovmError) -> BalloonState {
    let answer = try ask("balloon" + (size.map { " \($0)" } ?? ""))
    if let state = BalloonState(answer) { return state }
    guard answer.hasPrefix("refused ") else { throw .system(doing: "ask", path: path, Errno(EPROTO)) }
    throw .refused("balloon", String(answer.dropFirst(8)))
  }

  /// Changes what the card of the user network lets through.
  func make(_ change: GrantList.Change, _ grant: String) throws(NovmError) {
    let answer = try ask("egress \(change.word) \(grant)")
    if answer == "changed" { return }
    guard answer.hasPrefix("refused ") else { throw .system(doing: "ask", path: path, Errno(EPROTO)) }
    throw .refused(ByteString.printable(grant), String(answer.dropFirst(8)))
  }

  /// Whether the guest stands still; false too where nobody can be asked.
  package var isPaused: Bool {
    switch try? state("status") {
    case .paused, .quiesced: true
    case .running, nil: false
    }
  }

  /// The frames that pass a network card from now on, as a pcapng file.
  ///
  /// - Returns: nil if there is no such card.
  package func capture(card: Int) throws(NovmError) -> FileDescriptor? {
    let socket = try UnixSocket.connect(to: path)
    guard try answer(on: socket, to: "capture \(card)") == "capturing" else { return nil }
    return socket
  }

  private func state(_ order: String) throws(NovmError) -> State {
    guard let state = State(rawValue: try ask(order)) else {
      throw .system(doing: order, path: path, Errno(EPROTO))
    }
    return state
  }

  private func ask(_ order: String) throws(NovmError) -> String {
    try answer(on: UnixSocket.connect(to: path), to: order)
  }

  /// The line that answers an order; nothing behind it is read.
  private func answer(on socket: borrowing FileDescriptor, to order: String) throws(NovmError) -> String {
    let deadline = MonotonicTime.after(milliseconds: patience)
    let line = Array("\(order)\n".utf8)
    _ = unsafe line.withUnsafeBytes { unsafe send(socket.raw, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    var answer: [UInt8] = []
    while answer.last != UInt8(ascii: "\n") {
      var interest = pollfd(fd: socket.raw, events: Int16(POLLIN), revents: 0)
      let count = unsafe poll(&interest, 1, deadline.millisecondsFromNow)
      // Also of one that always has another byte.
      if count == 0 || deadline <= .now { throw .agentSilent }
      if count < 0 { continue }
      guard answer.count < Self.answerLimit else { throw .system(doing: "ask", path: path, Errno(EMSGSIZE)) }
      if case .end = InputChunk.read(socket.raw, into: &answer, limit: 1) { break }
    }
    return String(decoding: answer.dropLast(), as: UTF8.self)
  }

  /// In bytes. A monitor's answers are short; one that its guest has taken over may say anything.
  private static let answerLimit = 4096
}
