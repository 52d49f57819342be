/// How a machine's balloon is, in bytes.
package struct BalloonState: Encodable, Equatable, Sendable {
  /// What the guest is asked for, and has given by what it says.
  package var target: UInt64
  package var actual: UInt64
  /// What it says of its memory.
  package var total: UInt64?
  package var free: UInt64?
  package var available: UInt64?
  package var caches: UInt64?

  /// Reads `balloon TARGET ACTUAL [KEY=BYTES]...`; what it does not know is left out.
  init?(_ text: String) {
    let words = text.split(separator: " ")
    guard words.count >= 3, words[0] == "balloon", let target = UInt64(words[1]), let actual = UInt64(words[2]) else {
      return nil
    }
    (self.target, self.actual) = (target, actual)
    for word in words.dropFirst(3) {
      let parts = word.split(separator: "=")
      guard parts.count == 2, let value = UInt64(parts[1]) else { return nil }
      switch parts[0] {
      case "total": total = value
      case "free": free = value
      case "available": available = value
      case "caches": caches = value
      default: break
      }
    }
  }
}
