/// A moment as the wire has it.
public struct Timestamp: Equatable, Sendable {
  public var seconds: Int64
  public var nanoseconds: UInt32

  public init(seconds: Int64, nanoseconds: UInt32) {
    self.seconds = seconds
    self.nanoseconds = nanoseconds
  }
}

/// How long a reply stays true.
public struct Validity: Equatable, Sendable {
  public var seconds: UInt64
  public var nanoseconds: UInt32

  public init(seconds: UInt64, nanoseconds: UInt32 = 0) {
    self.seconds = seconds
    self.nanoseconds = nanoseconds
  }
}

/// A file's attributes (`fuse_attr`).
public struct Attributes: Equatable, Sendable {
  public static let size = 88

  public var inode: UInt64 = 0
  /// Length in bytes.
  public var length: UInt64 = 0
  /// Space used, in units of 512 bytes.
  public var blocks: UInt64 = 0
  public var accessed = Timestamp(seconds: 0, nanoseconds: 0)
  public var modified = Timestamp(seconds: 0, nanoseconds: 0)
  public var changed = Timestamp(seconds: 0, nanoseconds: 0)
  /// Type and permissions, as in `st_mode`.
  public var mode: UInt32 = 0
  public var links: UInt32 = 0
  public var uid: UInt32 = 0
  public var gid: UInt32 = 0
  /// The device number of a special file, in the kernel's 32-bit encoding (`new_encode_dev`).
  public var device: UInt32 = 0
  public var blockSize: UInt32 = 0
  public var flags: UInt32 = 0

  public init() {}

  /// Appends the attributes to a reply.
  public func write(to reply: inout ReplyWriter) throws(MessageError) {
    guard reply.room >= Attributes.size else { throw .replyTooSmall }
    try reply.append(inode)
    try reply.append(length)
    try reply.append(blocks)
    try reply.append(accessed.seconds)
    try reply.append(modified.seconds)
    try reply.append(changed.seconds)
    try reply.append(accessed.nanoseconds)
    try reply.append(modified.nanoseconds)
    try reply.append(changed.nanoseconds)
    try reply.append(mode)
    try reply.append(links)
    try reply.append(uid)
    try reply.append(gid)
    try reply.append(device)
    try reply.append(blockSize)
    try reply.append(flags)
  }

  /// The kernel's 32-bit form of a device number: 12 bits of major between 8 and 12 bits of minor.
  public static func encodeDevice(major: UInt32, minor: UInt32) -> UInt32 {
    (minor & 0xff) | ((major & 0xfff) << 8) | ((minor & ~0xff) << 12)
  }

  /// The major and minor number in the kernel's 32-bit form.
  public static func decodeDevice(_ device: UInt32) -> (major: UInt32, minor: UInt32) {
    ((device & 0xfff00) >> 8, (device & 0xff) | ((device >> 12) & 0xfff00))
  }
}
