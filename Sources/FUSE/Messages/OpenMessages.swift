/// OPEN and OPENDIR (`fuse_open_in`).
public struct OpenRequest: Sendable {
  /// O_* as in open(2).
  public let flags: UInt32
  /// FUSE_OPEN_KILL_SUIDGID.
  public let killPrivileges: Bool

  public init(_ reader: inout RequestReader) throws(MessageError) {
    flags = try reader.load()
    killPrivileges = try reader.load(UInt32.self) & 1 != 0
  }
}

/// CREATE and TMPFILE (`fuse_create_in`).
public struct CreateRequest: Sendable {
  public let flags: UInt32
  public let mode: UInt32
  public let umask: UInt32
  public let killPrivileges: Bool
  /// For TMPFILE the client sends "/", which is no name.
  public let name: FileName?

  public init(_ reader: inout RequestReader, isTemporary: Bool = false) throws(MessageError) {
    flags = try reader.load()
    mode = try reader.load()
    umask = try reader.load()
    killPrivileges = try reader.load(UInt32.self) & 1 != 0
    name = isTemporary ? nil : try reader.name()
  }
}

/// Reply to OPEN and OPENDIR, and second part of the reply to CREATE and TMPFILE (`fuse_open_out`).
public struct OpenReply: Sendable {
  public struct Flags: OptionSet, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    public static let directIO = Flags(rawValue: 1 << 0)
    public static let keepCache = Flags(rawValue: 1 << 1)
    public static let nonSeekable = Flags(rawValue: 1 << 2)
    public static let cacheDirectory = Flags(rawValue: 1 << 3)
    public static let stream = Flags(rawValue: 1 << 4)
    public static let noFlush = Flags(rawValue: 1 << 5)
    public static let parallelDirectWrites = Flags(rawValue: 1 << 6)
  }

  public static let size = 16

  public var handle: UInt64
  public var flags: Flags

  public init(handle: UInt64, flags: Flags) {
    self.handle = handle
    self.flags = flags
  }

  public func write(to reply: inout ReplyWriter) throws(MessageError) {
    try reply.append(handle)
    try reply.append(flags.rawValue)
    try reply.append(UInt32(0))
  }
}

/// RELEASE and RELEASEDIR (`fuse_release_in`).
public struct ReleaseRequest: Sendable {
  public let handle: UInt64
  public let flags: UInt32
  public let releaseFlags: UInt32
  public let lockOwner: UInt64

  public init(_ reader: inout RequestReader) throws(MessageError) {
    handle = try reader.load()
    flags = try reader.load()
    releaseFlags = try reader.load()
    lockOwner = try reader.load()
  }
}

/// FLUSH (`fuse_flush_in`).
public struct FlushRequest: Sendable {
  public let handle: UInt64
  public let lockOwner: UInt64

  public init(_ reader: inout RequestReader) throws(MessageError) {
    handle = try reader.load()
    try reader.skip(8)
    lockOwner = try reader.load()
  }
}

/// FSYNC and FSYNCDIR (`fuse_fsync_in`).
public struct FsyncRequest: Sendable {
  public let handle: UInt64
  /// Times and the like need not be on disk (fdatasync).
  public let dataOnly: Bool

  public init(_ reader: inout RequestReader) throws(MessageError) {
    handle = try reader.load()
    dataOnly = try reader.load(UInt32.self) & 1 != 0
    try reader.skip(4)
  }
}
