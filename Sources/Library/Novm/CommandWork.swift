import AgentProtocol
import Glibc
import Host
import NovmKit

/// What the thread of a running command does.
///
/// Unchecked: `result`, `orders` and `waiting` are used with the lock held, all else by the thread alone once it runs.
final class CommandWork: @unchecked Sendable {
  enum Order {
    case signal(Int32)
    case resize(WindowSize)
    case cancel
  }

  let name: String
  /// Readable once there is a result.
  let ended: EventFD
  let output: CollectedOutput?
  let error: CollectedOutput?

  private let command: AgentProtocol.Command
  private let limit: Double?
  private let vsock: String
  private let machine: String
  private let input: StreamCopy?
  private let outputCopy: StreamCopy?
  private let errorCopy: StreamCopy?

  private let lock = Lock()
  private let ordered: EventFD
  private var orders: [Order] = []
  private var finished: Result<Int32, Failure>?
  private var waiting: [@Sendable (Result<Int32, Failure>) -> Void] = []

  init(_ command: Command, vsock: String, machine: String) throws(Failure) {
    self.command = try command.forAgent
    name = command.arguments.first.map { String(printable: $0) } ?? ""
    limit = command.limit.map { Double($0.milliseconds) / 1000 }
    self.vsock = vsock
    self.machine = machine
    input =
      switch command.input {
      case .nothing: nil
      case .bytes(let bytes): try StreamCopy(bytes)
      case .descriptor(let descriptor): try StreamCopy(of: descriptor, "input")
      }
    (output, outputCopy) = try Self.stream(command.output, "output")
    (error, errorCopy) = try Self.stream(command.error, "error")
    do throws(Errno) {
      ended = try EventFD()
      ordered = try EventFD()
    } catch {
      throw Failure(.system, "no descriptor: \(error.description)", about: "eventfd", number: error.code)
    }
  }

  private static func stream(
    _ output: Command.Output, _ name: String
  ) throws(Failure) -> (CollectedOutput?, StreamCopy?) {
    switch output {
    case .nothing: (CollectedOutput(limit: nil), nil)
    case .collected(let limit): (CollectedOutput(limit: limit), nil)
    case .descriptor(let descriptor): (nil, try StreamCopy(of: descriptor, name))
    }
  }

  var result: Result<Int32, Failure>? { lock.withLock { finished } }

  func order(_ order: Order) {
    lock.withLock { orders.append(order) }
    ordered.signal()
  }

  func whenEnded(_ body: @escaping @Sendable (Result<Int32, Failure>) -> Void) {
    let result = lock.withLock { () -> Result<Int32, Failure>? in
      if finished == nil { waiting.append(body) }
      return finished
    }
    if let result { body(result) }
  }

  // MARK: The thread

  func run() {
    let result: Result<Int32, Failure>
    do throws(NovmError) { result = .success(try work()) } catch { result = .failure(failure(error)) }
    let bodies = lock.withLock {
      finished = result
      defer { waiting = [] }
      return waiting
    }
    ended.signal()
    for body in bodies { body(result) }
  }

  private func work() throws(NovmError) -> Int32 {
    let loop = PollLoop()
    let session = try Session(
      command, on: AgentConnection(vsock: vsock), loop: loop, input: input?.raw, output: stream(output, outputCopy),
      error: stream(error, errorCopy))
    defer { session.leave(loop) }
    let inbox = OrderInbox(ordered) { [unowned self] () throws(NovmError) in try obey(session) }
    loop.add(inbox)
    let timeout = limit.map { CommandTimeout(session, seconds: $0) }
    if let timeout { loop.add(timeout) }
    try loop.run { session.result != nil }
    if let fault = session.outputFault { throw .output(fault) }
    switch session.result {
    case .failed(let failure)?: throw .commandFailed(command: command.arguments.first ?? [], failure)
    case let end?:
      guard let status = end.exitStatus else { throw .machineGone(machine) }
      return timeout.map { $0.status(status) ?? status } ?? status
    case nil: throw .machineGone(machine)
    }
  }

  private func stream(_ collected: CollectedOutput?, _ copy: StreamCopy?) -> any CommandOutput {
    collected ?? OutputStream(copy?.raw ?? -1)
  }

  private func obey(_ session: Session) throws(NovmError) {
    let new = lock.withLock {
      defer { orders = [] }
      return orders
    }
    for order in new {
      switch order {
      case .signal(let number): try session.signal(number)
      case .resize(let window): try session.resize(window)
      case .cancel: throw .interrupted(SIGHUP)
      }
    }
  }

  /// A socket that is gone, or that nobody listens on, is a machine that does not run.
  private func failure(_ error: NovmError) -> Failure {
    switch error {
    case .system("connect", vsock, Errno(ENOENT)), .system("connect", vsock, Errno(ECONNREFUSED)):
      Failure(NovmError.notRunning(machine))
    case .interrupted: Failure(.canceled, "the command was given up", about: name)
    default: Failure(error)
    }
  }
}

/// Orders from other threads, in the loop.
private final class OrderInbox: PollSource {
  private let event: EventFD
  private let obey: () throws(NovmError) -> Void

  init(_ event: EventFD, _ obey: @escaping () throws(NovmError) -> Void) {
    self.event = event
    self.obey = obey
  }

  var interest: PollInterest? { PollInterest(event.raw, POLLIN) }

  func ready(_ events: Int32) throws(NovmError) {
    _ = event.drain()
    try obey()
  }
}
