import AgentProtocol
import CGuest

/// Which machine a guest that waits is to be, as the host says it (docs/agent-protocol.md, "Beginning").
struct Beginning {
  /// What a kernel command line would say of it.
  let words: [Bytes]
  let time: WallTime
  /// The connection, which is open.
  let host: Int32

  /// Waits for a host that says so.
  ///
  /// - Parameter ready: called when hosts can connect.
  init(on listener: borrowing Descriptor, ready: () -> Void) throws(SystemError) {
    ready()
    while true {
      try Self.wait(for: listener)
      guard let connection = try Socket.accept(listener) else { continue }
      var time = WallTime(seconds: 0, nanoseconds: 0)
      // One that breaks the rules, or leaves, is none the wiser; another may come.
      guard let words = try? Self.words(connection, &time) else { continue }
      self.words = words
      self.time = time
      host = try check(cguest_fcntl(connection.number, F_DUPFD_CLOEXEC, 3))
      return
    }
  }

  /// The command `begin`, after the time; nothing else is taken.
  private static func words(_ connection: borrowing Descriptor, _ time: inout WallTime) throws(SystemError) -> [Bytes] {
    var decoder = FrameDecoder()
    while true {
      try wait(for: connection)
      var bytes: Bytes = []
      var offset = 0
      guard try connection.read(into: &bytes) > 0 else { throw SystemError(EPROTO) }
      while let frame = try next(&decoder, bytes, &offset) {
        switch frame {
        case .clock(let now): time = now
        case .exec(let command):
          guard command.options == .builtIn, command.arguments.count == 3, command.arguments[0] == "begin",
            command.arguments[1] == Bytes(decimal: Int(Agent.version))
          else { throw SystemError(EPROTO) }
          try Entropy.renew(with: command.arguments[2])
          return command.environment
        default: throw SystemError(EPROTO)
        }
      }
    }
  }

  private static func next(
    _ decoder: inout FrameDecoder, _ bytes: Bytes, _ offset: inout Int
  ) throws(SystemError) -> Frame? {
    do throws(FrameError) { return try decoder.next(bytes, from: &offset) } catch { throw SystemError(EPROTO) }
  }

  private static func wait(for descriptor: borrowing Descriptor) throws(SystemError) {
    var poll = Poll<Void>()
    poll.add(descriptor.number, readable: true, for: ())
    _ = try poll.wait(milliseconds: nil)
  }
}
