import HypercallABI
import UserRuntime

/// A program, from its start to its end. What becomes of it is told by its portals, on whichever processor, and acted on by the
/// root task's own thread, which looks when there is news.
final class Program {
  let number: UInt64
  let section: Section
  private let output: Output
  private let domain: Domain
  private var starts: UInt64 = 0

  private enum Event {
    /// It has said what was waited for.
    case said
    case ended(UInt64)
    case faulted(exception: UInt64, instruction: UInt64, address: UInt64)
  }
  /// What comes first, until that was looked at. Under the lock of outputs.
  private var event: Event?
  private enum State {
    case waiting
    case running
    case gone
  }
  private var state = State.waiting
  var isThere: Bool { state != .gone }
  var isWaiting: Bool { state == .waiting }
  var isRunning: Bool { state == .running }
  /// Whether its service can be called. Under the lock of outputs, too.
  private(set) var isReady = false
  /// The portal of its service for a program.
  func service(_ client: Program) -> UInt64 { domain.service(client.number) }

  init(_ number: UInt64, _ section: Section) {
    self.number = number
    self.section = section
    output = Output(number, section)
    domain = Domain(number, section)
  }

  /// Starts it, which uses the services at these selectors. False where something is missing, which was said: it is gone then.
  func start(_ services: [UInt64]) -> Bool {
    starts += 1
    state = .running
    if domain.start(services) {
      if starts > 1 {
        say()
        Console.line(" is started again, time", starts - 1)
      }
      return true
    }
    domain.end()
    state = .gone
    return false
  }

  /// What it uses is there, perhaps again.
  func give(_ services: [UInt64]) { domain.give(services) }

  /// It waits for what will not come.
  func giveUp() {
    state = .gone
    say()
    Console.write(" is not started: what it uses is gone")
    Console.put(10)
  }

  /// Takes everything back, as nobody is left who uses it.
  func release() {
    domain.end()
    output.flush()
    state = .gone
    isReady = false
    Console.write("root: took everything from program ")
    Console.write(number)
    Console.write(", which nobody uses any more")
    Console.put(10)
  }

  // MARK: In handlers of its portals

  func take(_ call: Domain.Call, _ block: MessageBlock) {
    switch call.reason {
    case Domain.Call.start:
      domain.begin(block)
      block.counts = 0
    case Domain.Call.output:
      Output.lock.take()
      if output.take(block) { tell(.said) }
      Output.lock.give()
      block.counts = 0
    case Domain.Call.ready:
      Output.lock.take()
      // Its last call may have come too late.
      isReady = state == .running && event == nil
      Output.lock.give()
      _ = Kernel.up(news)
      block.counts = 0
    case Domain.Call.end: end(.ended(block.word(0)))
    default:
      end(
        .faulted(
          exception: call.reason - Domain.Call.fault, instruction: block[MessageBlock.State.rip],
          address: block[MessageBlock.State.qualification2]))
    }
  }

  /// It has nothing to go on with.
  private func end(_ event: Event) -> Never {
    Output.lock.take()
    tell(event)
    Output.lock.give()
    while true { _ = Kernel.down(never) }
  }

  private func tell(_ event: Event) {
    guard self.event == nil else { return }
    self.event = event
    _ = Kernel.up(news)
  }

  // MARK: In the root task's thread

  /// Sees to what has become of it. Returns its status, where that has ended it.
  func look() -> UInt64? {
    guard state == .running else { return nil }
    // Nobody has it then who is ended here.
    Output.lock.take()
    defer { Output.lock.give() }
    guard let event else { return nil }
    self.event = nil
    isReady = false
    domain.end()
    output.flush()
    var status: UInt64 = 0
    switch event {
    case .said: Console.line("root: took everything from program", number)
    case .ended(let result):
      status = result
      say()
      Console.line(result < Grants.failure ? " ended with" : " failed with", result)
    case .faulted(let exception, let instruction, let address):
      status = Grants.failure + exception
      say()
      Console.write(" failed: exception ")
      Console.write(exception)
      Console.write(" at ")
      Console.write(hexadecimal: instruction)
      if exception == 14 {
        Console.write(", address ")
        Console.write(hexadecimal: address)
      }
      Console.put(10)
    }
    state = status >= Grants.failure && starts <= section.restarts ? .waiting : .gone
    return state == .gone ? status : nil
  }

  private func say() {
    Console.write("root: program ")
    Console.write(number)
  }
}
