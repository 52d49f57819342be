import Host

/// An open descriptor that several users hold: a cache may drop it while a request still works with it, and it is closed
/// when the last of them is done. So a number is never reused under someone's feet.
final class SharedDescriptor: Sendable {
  private let descriptor: FileDescriptor

  /// Whether what is written goes to the end of the file, and to no other place (chattr(1), `a`).
  let appendsOnly: Bool

  init(_ descriptor: consuming FileDescriptor, appendsOnly: Bool = false) {
    self.descriptor = descriptor
    self.appendsOnly = appendsOnly
  }

  /// Valid for as long as this object is held.
  var raw: Int32 { descriptor.raw }
}
