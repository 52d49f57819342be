import AgentProtocol

/// The connection that the guest makes to the host to say that it is ready, and keeps.
///
/// A host that does not listen is none the worse: it can connect whenever it likes.
final class Greeting {
  private enum Phase {
    case waiting(until: Int64)
    case connecting
    case connected
    case givenUp
  }

  private let frame: Frame
  private let isLasting: Bool
  private let open: () throws(SystemError) -> Descriptor
  private let clock: (WallTime) -> Void
  private var decoder = FrameDecoder()
  private var connection: Descriptor?
  private var buffer = OutputBuffer()
  private var phase = Phase.waiting(until: 0)
  private var attempts = 0

  private static let attemptLimit = 50
  private static let pause: Int64 = 100

  /// - Parameters:
  ///   - clock: told what time it is, when the host says so.
  ///   - isLasting: whether another host, with which the machine goes on, is told as well.
  ///   - open: begins to connect.
  init(
    _ frame: Frame, clock: @escaping (WallTime) -> Void = { _ in }, isLasting: Bool = true,
    open: @escaping () throws(SystemError) -> Descriptor
  ) {
    self.frame = frame
    self.isLasting = isLasting
    self.open = open
    self.clock = clock
    buffer.append(frame)
  }

  func register(in poll: inout Poll<CommandServer.Source>) {
    guard let number = connection?.number else { return }
    poll.add(number, readable: isConnected, writable: !buffer.isEmpty, for: .greeting)
  }

  private var isConnected: Bool {
    if case .connected = phase { true } else { false }
  }

  /// Whether there is no connection any more, and will be none.
  var isOver: Bool {
    if case .givenUp = phase { true } else { false }
  }

  var deadline: Int64? {
    if case .waiting(let time) = phase { time } else { nil }
  }

  func ready(_ readiness: Poll<CommandServer.Source>.Readiness) {
    switch phase {
    case .connecting: finishConnecting()
    case .connected where readiness.readable: listen()
    default: break
    }
    if isConnected {
      do throws(SystemError) { try connection?.drain(&buffer) } catch { giveUp() }
    }
  }

  func advance(now: Int64) {
    guard case .waiting(let time) = phase, now >= time else { return }
    attempts += 1
    do throws(SystemError) {
      connection = try open()
      phase = .connecting
    } catch {
      retry(now: now)
    }
  }

  private func finishConnecting() {
    do throws(SystemError) {
      try connection?.connectionResult()
      phase = .connected
    } catch {
      retry(now: Clock.milliseconds)
    }
  }

  /// The host says what time it is, nothing else; and ends.
  private func listen() {
    var bytes: Bytes = []
    do throws(SystemError) {
      if try connection?.read(into: &bytes, limit: 4096) == 0 { giveUp() }
    } catch {
      if error == .notConnected, isLasting { return greetAnew() }
      if error != .again, error != .interrupted { giveUp() }
    }
    var offset = 0
    do throws(FrameError) {
      while let frame = try decoder.next(bytes, from: &offset) {
        if case .clock(let time) = frame { clock(time) }
      }
    } catch {
      giveUp()
    }
  }

  /// The machine goes on elsewhere, without its connections: there is another host.
  private func greetAnew() {
    (decoder, buffer, attempts) = (FrameDecoder(), OutputBuffer(), 0)
    buffer.append(frame)
    retry(now: 0)
  }

  private func retry(now: Int64) {
    connection = nil
    if attempts < Self.attemptLimit {
      phase = .waiting(until: now + Self.pause)
    } else {
      giveUp()
    }
  }

  private func giveUp() {
    connection = nil
    phase = .givenUp
  }
}
