import Egress
import Host

/// Takes orders about the machine from whoever may connect to a Unix socket, a line each:
///
/// | order | answer | |
/// |---|---|---|
/// | `pause` | `paused` | once no vCPU runs any more |
/// | `quiesce` | `quiesced`, or `running` if somebody resumes it meanwhile | see ``Quiescence`` |
/// | `resume` | `running` | |
/// | `status` | `running`, `paused` or `quiesced` | |
/// | `save`, and with it a descriptor | `saved`, or `refused WORDS` | see ``Machine/save(to:_:)`` |
/// | `resize DISK [BYTES]` | `size BYTES`, or `refused WORDS` | see ``DiskLine/resize(to:)`` |
/// | `capture N` | `capturing` | and from then on what passes network card N, as a pcapng file, until the client closes |
/// | `egress CHANGE GRANT` | `changed`, or `refused WORDS` | CHANGE is `allow`, `deny` or `remove` (``GrantList``) |
/// | `usage` | `usage [KEY=VALUE]...` | what the guest makes the monitor hold, see ``Machine/usage`` |
/// | `balloon [BYTES]` | `balloon ASKED GIVEN [KEY=BYTES]...`, or `refused WORDS` | see ``BalloonLine`` |
///
/// Anything else ends the connection. Everything here belongs to the event loop's thread.
final class ControlSocket {
  /// Clients at once; another takes the place of the oldest.
  private static let clientLimit = 16

  private let machine: Machine
  private var listener: UnixListener?
  private var clients: [ControlClient] = []

  /// - Throws: `EADDRINUSE` if another machine listens there, or what bind(2) says.
  init(_ path: Path, _ machine: Machine) throws(Errno) {
    self.machine = machine
    listener = try UnixListener(path, machine.loop, isAlways: true) { [self] socket in take(socket) }
  }

  /// Removes the socket's name.
  func close() { listener?.close() }

  private func take(_ socket: consuming FileDescriptor) {
    // At the limit the oldest goes: whoever holds a connection open keeps nobody else out.
    if clients.count == Self.clientLimit { clients[0].close() }
    // Without memory to wait for it, the client is let go.
    guard let client = try? ControlClient(socket, machine, left: { [self] client in left(client) }) else { return }
    clients.append(client)
  }

  private func left(_ client: ControlClient) { clients.removeAll { $0 === client } }
}

/// One connection of a ``ControlSocket``.
final class ControlClient: EventHandler {
  /// The longest order, with its end: a grant has a name of 253 bytes.
  private static let limit = 320
  /// The longest answer, with its end: `novm` reads no more.
  static let answerLimit = 4096

  private let machine: Machine
  private let number: Int32
  private var socket: FileDescriptor?
  /// What came along last, for the order that wants it.
  private var descriptor: FileDescriptor?
  private var line: [UInt8] = []
  private var left: ((ControlClient) -> Void)?

  init(
    _ socket: consuming FileDescriptor, _ machine: Machine, left: @escaping (ControlClient) -> Void
  ) throws(Errno) {
    self.machine = machine
    self.left = left
    number = socket.raw
    self.socket = consume socket
    try machine.loop.add(number, .readable, self, isAlways: true)
  }

  func ready(_ events: EventLoop.Events) {
    guard socket != nil else { return }
    var buffer = [UInt8](repeating: 0, count: Self.limit)
    do throws(Errno) {
      let count = try UnixSocket.receive(socket!, into: &buffer, &descriptor)
      if count == 0 { return close() }
      line += buffer[..<count]
    } catch {
      if error != .wouldBlock, error != .interrupted { close() }
      return
    }
    while let end = line.firstIndex(of: UInt8(ascii: "\n")) {
      let order = ControlOrder(line[..<end])
      line.removeFirst(end + 1)
      guard let order else { return close() }
      obey(order)
    }
    if line.count >= Self.limit { close() }
  }

  private func obey(_ order: ControlOrder) {
    switch order {
    case .pause: machine.pause { [self] in answer("paused") }
    case .resume: machine.resume { [self] in answer("running") }
    case .quiesce: machine.quiesce { [self] isQuiesced in answer(isQuiesced ? "quiesced" : "running") }
    case .status: answer(machine.isQuiesced ? "quiesced" : machine.isPaused ? "paused" : "running")
    case .save:
      guard let file = descriptor.take() else {
        return answer("refused send a file's descriptor along with the order")
      }
      machine.save(to: file) { [self] failure in answer(failure.map { "refused \($0.words)" } ?? "saved") }
    case .usage: answer(Self.usage(machine.usage))
    case .resize(let name, _): leave(order, orSay: "refused there is no disk \(name)")
    case .capture: leave(order, orSay: "no such card")
    case .egress:
      leave(order, orSay: "refused the machine runs without a list; give it one while it does not run")
    case .balloon: leave(order, orSay: "refused the machine has no balloon")
    }
  }

  /// Leaves an order to the device that it is about.
  private func leave(_ order: ControlOrder, orSay words: String) {
    // Devices that stand still are not changed.
    if machine.isQuiescing { return answer("refused the machine is quiesced") }
    if !machine.obey(order, self) { answer(words) }
  }

  /// As much of it as fits into an answer: write maps come last, and how many are not listed is its last word.
  static func usage(_ words: [String]) -> String {
    let maps = words.filter { $0.hasPrefix("written=") }
    let words = words.filter { !$0.hasPrefix("written=") } + maps
    var line = "usage"
    for (index, word) in words.enumerated() {
      let rest = " unlisted=\(words.count - index)"
      // There is room for that word, too, whether it is needed or not.
      guard line.utf8.count + 1 + word.utf8.count + rest.utf8.count < answerLimit else { return line + rest }
      line += " \(word)"
    }
    return line
  }

  /// Sends a line.
  func answer(_ word: String) {
    guard socket != nil else { return }
    // A few bytes; a client that does not read them has no use for them.
    _ = try? UnixSocket.send(socket!, Array("\(word)\n".utf8).span)
  }

  func close() { _ = release() }

  /// Takes the connection from the client.
  func release() -> FileDescriptor? {
    guard let socket = socket.take() else { return nil }
    machine.loop.remove(number)
    left?(self)
    left = nil
    return socket
  }
}

extension SaveFailure {
  /// What to do about it, where that is anything.
  var words: String {
    switch self {
    case .notQuiesced: "the machine runs; quiesce it first"
    case .busy: "the machine is being saved already"
    case .part(.removedFiles(1)): "a removed file or directory is in use; have it closed first"
    case .part(.removedFiles(let count)): "\(count) removed files or directories are in use; have them closed first"
    case .part(.cannotSave(let device)): "a device of kind \(device) cannot be saved yet; leave it out"
    case .part(.tooLarge): "the state of its devices is larger than 1 GiB; have the guest use fewer files"
    case .part: "a device cannot be saved"
    case .kvm(.request(let name, let errno)): "\(name): \(errno.description)"
    case .kvm: "KVM does not tell what a processor is"
    case .file(.invalid):
      "the descriptor is not that of an empty regular file that can be written, and not only appended to"
    case .file(let errno): "the file: \(errno.description)"
    }
  }
}

/// What a line asks for.
enum ControlOrder: Equatable {
  case pause, quiesce, resume, status, usage, save
  /// By its place or its serial number; nil for the size that its file has.
  case resize(disk: String, size: UInt64?)
  case capture(Int)
  /// nil to be told only.
  case balloon(size: UInt64?)
  case egress(GrantList.Change, grant: String)

  init?(_ line: ArraySlice<UInt8>) {
    let words = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false).map {
      String(printable: Array($0))
    }
    switch (words[0], words.count) {
    case ("pause", 1): self = .pause
    case ("quiesce", 1): self = .quiesce
    case ("resume", 1): self = .resume
    case ("status", 1): self = .status
    case ("save", 1): self = .save
    case ("usage", 1): self = .usage
    case ("capture", 2):
      guard let card = UInt16(words[1]) else { return nil }
      self = .capture(Int(card))
    case ("balloon", 1): self = .balloon(size: nil)
    case ("balloon", 2):
      guard let size = UInt64(words[1]) else { return nil }
      self = .balloon(size: size)
    case ("egress", 3) where !words[2].isEmpty:
      guard let change = GrantList.Change.allCases.first(where: { "\($0.word)" == words[1] }) else { return nil }
      self = .egress(change, grant: words[2])
    case ("resize", 2) where !words[1].isEmpty: self = .resize(disk: words[1], size: nil)
    case ("resize", 3) where !words[1].isEmpty:
      guard let size = UInt64(words[2]) else { return nil }
      self = .resize(disk: words[1], size: size)
    default: return nil
    }
  }
}
