/// Looks for the keys by which one leaves a command on a terminal without ending it: Ctrl-P Ctrl-Q, as of Docker.
struct DetachKeys {
  private static let first: UInt8 = 0x10
  private static let second: UInt8 = 0x11

  /// The first key came, and is kept until the next one says what it meant.
  private var hasFirst = false
  /// Both came; what follows is nobody's.
  private(set) var isComplete = false

  /// What goes to the command.
  mutating func pass(_ bytes: [UInt8]) -> [UInt8] {
    var passed: [UInt8] = []
    for byte in bytes where !isComplete {
      if hasFirst, byte == Self.second {
        isComplete = true
      } else {
        if hasFirst { passed.append(Self.first) }
        hasFirst = byte == Self.first
        if !hasFirst { passed.append(byte) }
      }
    }
    return passed
  }
}
