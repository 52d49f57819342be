import AgentProtocol
import CGuest

/// What the agent does itself rather than by a program of the tree's, which may have none (docs/agent-protocol.md, "Built
/// in"). Each runs in a process of its own, so it may block, and ends with a status; what went wrong goes to standard
/// error, one line of it.
enum BuiltIn {
  /// - Parameter arguments: the name first.
  static func run(_ arguments: [Bytes]) -> Int32 {
    do throws(Trouble) {
      switch (arguments[0], arguments.count) {
      case ("send", 3): try FileSender(arguments[2], followsLink: try flag(arguments[1], "-L")).run()
      case ("receive", 3): try FileReceiver(arguments[2], keepsOwners: try flag(arguments[1], "-a")).run()
      case ("connect", 3): try Relay.run(arguments[1], arguments[2], toCard: false)
      case ("connect", 4): try Relay.run(arguments[1], arguments[2], toCard: try flag(arguments[3], "card"))
      case ("processes", 1): try Reports.processes()
      case ("usage", 1): try Reports.usage()
      case ("kernel-log", 1): try Reports.kernelLog()
      case ("stamp", let count) where count > 3:
        let bothTimes = try flag(arguments[1], "-a")
        guard let seconds = arguments[2].decimal else { throw unknown(arguments[2]) }
        for index in 3..<count { Stamps.set(arguments[index], bothTimes: bothTimes, seconds: seconds) }
      default: throw Trouble(text: "the agent has nothing built in that is called '" + arguments[0] + "'")
      }
      return 0
    } catch {
      StandardStreams.complain(error.text)
      return 1
    }
  }

  /// An argument that is the flag or nothing.
  private static func flag(_ argument: Bytes, _ name: Bytes) throws(Trouble) -> Bool {
    guard argument.isEmpty || argument == name else { throw unknown(argument) }
    return !argument.isEmpty
  }

  private static func unknown(_ argument: Bytes) -> Trouble { Trouble(text: "what is '" + argument + "'?") }

  /// Why something cannot be done, in words for a person.
  struct Trouble: Error {
    var text: Bytes

    init(text: Bytes) { self.text = text }

    init(_ path: Bytes, _ error: SystemError) { text = path + ": " + error.text }
  }
}

/// Descriptors 0, 1 and 2, which block.
enum StandardStreams {
  /// Writes it all.
  static func write(_ bytes: Bytes) throws(BuiltIn.Trouble) {
    var offset = 0
    while offset < bytes.count {
      let count = unsafe bytes.withUnsafeBufferPointer {
        // Within the array, which lives through the call.
        unsafe CGuest.write(1, $0.baseAddress! + offset, $0.count - offset)
      }
      if count < 0 {
        if SystemError.last == .interrupted { continue }
        throw BuiltIn.Trouble("standard output", .last)
      }
      offset += count
    }
  }

  static func complain(_ text: Bytes) {
    let line = text + "\n"
    _ = unsafe line.withUnsafeBufferPointer { unsafe CGuest.write(2, $0.baseAddress, $0.count) }
  }
}
