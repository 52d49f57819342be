import AgentProtocol
import CGuest

/// Serves the host's connections, all in one thread: whatever is ready is done, and nothing waits for anything else.
final class CommandServer {
  /// What the loop waits for.
  enum Source {
    case listener
    case signals
    case greeting
    case stream(CommandStream, CommandStream.Role)
  }

  private let listener: Descriptor
  private let signals: Descriptor
  private let greeting: Greeting?
  private let ending: any Ending
  private var streams: [CommandStream] = []
  private var shutdown: Shutdown?
  /// What another process was asked for, and when it is asked again.
  private var request: (mode: ShutdownMode, next: Int64)?
  /// Where streams receive, one at a time.
  var inbox: Bytes = []

  /// More connections than this wait to be accepted: each may take a few hundred kilobytes.
  private static let streamLimit = 128
  /// How long whoever was asked to end the machine may seem not to have heard.
  private static let requestPause: Int64 = 2000

  init(_ listener: consuming Descriptor, greeting: Greeting?, ending: any Ending) throws(SystemError) {
    self.listener = consume listener
    self.greeting = greeting
    self.ending = ending
    Signals.ignoreBrokenPipes()
    signals = try Signals.descriptor(for: [SIGCHLD] + ending.signals)
  }

  var isEnding: Bool { shutdown != nil }

  func run() -> Never {
    while true {
      do throws(SystemError) { try turn() } catch {
        // Out of memory or descriptors: what runs may end and give some back.
        Log.error("waiting for commands: " + error.text)
        Clock.sleep(milliseconds: 100)
      }
    }
  }

  // MARK: The loop

  private func turn() throws(SystemError) {
    var poll = Poll<Source>()
    if !isEnding, hasRoom { poll.add(listener.number, readable: true, for: .listener) }
    poll.add(signals.number, readable: true, for: .signals)
    greeting?.register(in: &poll)
    for stream in streams { stream.register(in: &poll) }

    let ready = try poll.wait(milliseconds: deadline.map { $0 - Clock.milliseconds })
    for (owner, readiness) in ready {
      switch owner {
      case .listener: accept()
      case .signals: takeSignals()
      case .greeting: greeting?.ready(readiness)
      case .stream(let stream, let role): stream.ready(role, readiness, self)
      }
    }

    let now = Clock.milliseconds
    greeting?.advance(now: now)
    for stream in streams { stream.advance(now: now) }
    streams.removeAll { $0.isFinished }
    if let request, now >= request.next { ask(request.mode, isFirst: false) }
    advanceShutdown(now: now)
  }

  private var deadline: Int64? {
    var earliest: Int64?
    func consider(_ time: Int64?) {
      if let time { earliest = min(earliest ?? time, time) }
    }
    consider(greeting?.deadline)
    consider(shutdown?.deadline)
    consider(request?.next)
    for stream in streams { consider(stream.deadline) }
    return earliest
  }

  /// What waits to be resumed does not stand in the way of whoever comes to resume it.
  private var hasRoom: Bool { streams.count { !$0.waits } < Self.streamLimit }

  private func accept() {
    do throws(SystemError) {
      while hasRoom, let connection = try Socket.accept(listener) {
        streams.append(CommandStream(connection))
      }
    } catch {
      Log.error("accepting a connection: " + error.text)
      Clock.sleep(milliseconds: 100)
    }
  }

  private func takeSignals() {
    for number in Signals.take(from: signals) {
      if let mode = PowerSignals.mode(of: number) { beginShutdown(mode) }
    }
    reap()
  }

  /// Reaps every child that has ended: commands, and as PID 1 or subreaper the orphans that they leave.
  private func reap() {
    while true {
      switch Processes.reap() {
      case .ended(let identifier, let status):
        for stream in streams where stream.processEnded(identifier, status) { break }
      case .running:
        return
      case .childless:
        shutdown?.nothingRuns = true
        return
      }
    }
  }

  /// Has a stream go on with the command that has waited longest. Answers whether there is one.
  func resume(on stream: CommandStream) -> Bool {
    for other in streams where stream.resume(other) { return true }
    return false
  }

  // MARK: The end

  /// Begins to end the machine. A second wish only hurries the first.
  func beginShutdown(_ mode: ShutdownMode) {
    if ask(mode, isFirst: request?.mode != mode) { return }
    request = nil
    if shutdown == nil {
      shutdown = Shutdown(mode)
    } else {
      shutdown?.hurry()
    }
  }

  /// Has the end brought about by another process, where that is its part. Answers whether it is.
  @discardableResult
  private func ask(_ mode: ShutdownMode, isFirst: Bool) -> Bool {
    guard ending.ask(mode, isFirst: isFirst) else { return false }
    request = (mode, Clock.milliseconds + Self.requestPause)
    return true
  }

  private func advanceShutdown(now: Int64) {
    guard var current = shutdown else { return }
    // There may be nothing running, in which case no signal will say that it has ended.
    reap()
    current.nothingRuns = shutdown?.nothingRuns ?? false
    current.everybodyLeft = !streams.contains { $0.awaitsEnd }
    switch current.advance(now: now) {
    case .wait: break
    case .signal(let numbers):
      let groups = streams.compactMap { $0.processGroup }
      for number in numbers { ending.signal(number, groups: groups) }
    case .settle:
      ending.settle()
      for stream in streams {
        stream.synced()
        stream.advance(now: now)
      }
    case .end:
      ending.end(current.mode)
    }
    shutdown = current
  }
}
