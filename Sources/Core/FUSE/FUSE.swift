/// The FUSE wire format (linux/fuse.h): requests in, replies out, no operating system beneath.
///
/// A request is `RequestHeader` and its arguments, read once, field by field, through `RequestReader`; a reply is written
/// through `ReplyWriter`. Both work on the scattered pieces of guest memory that a virtio-fs queue hands over
/// (Virtio 1.2, 5.11.6), so nothing is gathered into a buffer first.
package enum FUSE {
  package static let majorVersion: UInt32 = 7

  /// The newest minor version spoken: that of Debian's 6.12 kernels.
  package static let minorVersion: UInt32 = 41

  /// The oldest minor version spoken; below it message layouts differ.
  package static let oldestMinorVersion: UInt32 = 31

  /// The node id of the root directory.
  package static let rootID: UInt64 = 1
}

/// What can be wrong about the form of a message.
package enum MessageError: Error, Equatable, Sendable {
  /// The request ends before its arguments do.
  case truncated
  /// A name is empty, `.`, `..`, or has a '/' or NUL in it.
  case badName
  /// A name is longer than 255 bytes, or a link's target than 4095.
  case nameTooLong
  /// The buffers for the reply cannot hold it.
  case replyTooSmall
}
