/// A moment as the wire has it.
package struct Timestamp: Equatable, Sendable {
  package var seconds: Int64
  package var nanoseconds: UInt32

  package init(seconds: Int64, nanoseconds: UInt32) {
    self.seconds = seconds
    self.nanoseconds = nanoseconds
  }
}

/// How long a reply stays true.
package struct Validity: Equatable, Sendable {
  package var seconds: UInt64
  package var nanoseconds: UInt32

  package init(seconds: UInt64, nanoseconds: UInt32 = 0) {
    self.seconds = seconds
    self.nanoseconds = nanoseconds
  }
}

/// A file's attributes (`fuse_attr`).
package struct Attributes: Equatable, Sendable {
  package static let size = 88

  package var inode: UInt64 = 0
  /// Length in bytes.
  package var length: UInt64 = 0
  /// Space used, in units of 512 bytes.
  package var blocks: UInt64 = 0
  package var accessed = Timestamp(seconds: 0, nanoseconds: 0)
  package var modified = Timestamp(seconds: 0, nanoseconds: 0)
  package var changed = Timestamp(seconds: 0, nanoseconds: 0)
  /// Type and permissions, as in `st_mode`.
  package var mode: UInt32 = 0
  package var links: UInt32 = 0
  package var uid: UInt32 = 0
  package var gid: UInt32 = 0
  /// The device number of a special file, in the kernel's 32-bit encoding (`new_encode_dev`).
  package var device: UInt32 = 0
  package var blockSize: UInt32 = 0
  /// FUSE_ATTR_*.
  package var flags: UInt32 = 0

  /// FUSE_ATTR_DAX: to be mapped through the DAX window (since 7.36).
  package static let isDAX: UInt32 = 1 << 1

  package init() {}

  /// Appends the attributes to a reply.
  package func write(to reply: inout ReplyWriter) throws(MessageError) {
    var words = InlineArray<11, UInt64>(repeating: 0)
    var span = words.mutableSpan
    put(into: &span, at: 0)
    try reply.append(words: words.span)
  }

  /// Lays the attributes out in 11 words, from `start` on.
  @inline(__always)
  func put(into words: inout MutableSpan<UInt64>, at start: Int) {
    words[start] = inode
    words[start + 1] = length
    words[start + 2] = blocks
    words[start + 3] = UInt64(bitPattern: accessed.seconds)
    words[start + 4] = UInt64(bitPattern: modified.seconds)
    words[start + 5] = UInt64(bitPattern: changed.seconds)
    words[start + 6] = UInt64(accessed.nanoseconds, modified.nanoseconds)
    words[start + 7] = UInt64(changed.nanoseconds, mode)
    words[start + 8] = UInt64(links, uid)
    words[start + 9] = UInt64(gid, device)
    words[start + 10] = UInt64(blockSize, flags)
  }

  /// The kernel's 32-bit form of a device number: 12 bits of major between 8 and 12 bits of minor.
  package static func encodeDevice(major: UInt32, minor: UInt32) -> UInt32 {
    (minor & 0xff) | ((major & 0xfff) << 8) | ((minor & ~0xff) << 12)
  }

  /// The major and minor number in the kernel's 32-bit form.
  package static func decodeDevice(_ device: UInt32) -> (major: UInt32, minor: UInt32) {
    ((device & 0xfff00) >> 8, (device & 0xff) | ((device >> 12) & 0xfff00))
  }
}

extension UInt64 {
  /// Two fields that share 8 bytes, the first one in front.
  @inline(__always)
  init(_ first: UInt32, _ second: UInt32) { self = UInt64(first) | UInt64(second) << 32 }
}
