import Host

/// A listener whose clients could not be taken, since descriptors or memory are short: they wait for a moment, where poll(2)
/// would tell of them without end.
struct ListenerRest {
  private static let milliseconds: UInt64 = 100

  /// When to look for them again; nil if there is nothing to wait for.
  private(set) var end: MonotonicTime?

  mutating func finish() { end = nil }

  /// A client's connection; nil when there is none, or after this for as long as the rest takes.
  mutating func accept(_ listener: borrowing FileDescriptor) -> FileDescriptor? {
    do {
      return try Host.UnixSocket.accept(listener)
    } catch {
      end = .after(milliseconds: Self.milliseconds)
      return nil
    }
  }
}
