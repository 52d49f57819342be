/// GETATTR (`fuse_getattr_in`).
public struct GetattrRequest: Sendable {
  /// The open file to ask instead of the node, if the client names one (FUSE_GETATTR_FH).
  public let handle: UInt64?

  public init(_ reader: inout RequestReader) throws(MessageError) {
    let flags: UInt32 = try reader.load()
    try reader.skip(4)
    let value: UInt64 = try reader.load()
    handle = flags & 1 != 0 ? value : nil
  }
}

/// SETATTR (`fuse_setattr_in`): `valid` tells which fields count.
public struct SetattrRequest: Sendable {
  public struct Valid: OptionSet, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    public static let mode = Valid(rawValue: 1 << 0)
    public static let uid = Valid(rawValue: 1 << 1)
    public static let gid = Valid(rawValue: 1 << 2)
    public static let size = Valid(rawValue: 1 << 3)
    public static let accessed = Valid(rawValue: 1 << 4)
    public static let modified = Valid(rawValue: 1 << 5)
    public static let handle = Valid(rawValue: 1 << 6)
    public static let accessedNow = Valid(rawValue: 1 << 7)
    public static let modifiedNow = Valid(rawValue: 1 << 8)
    public static let lockOwner = Valid(rawValue: 1 << 9)
    public static let changed = Valid(rawValue: 1 << 10)
    public static let killPrivileges = Valid(rawValue: 1 << 11)
  }

  public let valid: Valid
  public let handle: UInt64
  public let length: UInt64
  public let accessed: Timestamp
  public let modified: Timestamp
  public let changed: Timestamp
  public let mode: UInt32
  public let uid: UInt32
  public let gid: UInt32

  public init(_ reader: inout RequestReader) throws(MessageError) {
    valid = Valid(rawValue: try reader.load())
    try reader.skip(4)
    handle = try reader.load()
    length = try reader.load()
    try reader.skip(8)
    let seconds = (try reader.load(Int64.self), try reader.load(Int64.self), try reader.load(Int64.self))
    accessed = Timestamp(seconds: seconds.0, nanoseconds: try reader.load())
    modified = Timestamp(seconds: seconds.1, nanoseconds: try reader.load())
    changed = Timestamp(seconds: seconds.2, nanoseconds: try reader.load())
    mode = try reader.load()
    try reader.skip(4)
    uid = try reader.load()
    gid = try reader.load()
    try reader.skip(4)
  }
}

/// Reply to GETATTR and SETATTR (`fuse_attr_out`).
public struct AttributesReply: Sendable {
  public static let size = 16 + Attributes.size

  public var attributes: Attributes
  public var validity: Validity

  public init(attributes: Attributes, validity: Validity) {
    self.attributes = attributes
    self.validity = validity
  }

  public func write(to reply: inout ReplyWriter) throws(MessageError) {
    try reply.append(validity.seconds)
    try reply.append(validity.nanoseconds)
    try reply.append(UInt32(0))
    try attributes.write(to: &reply)
  }
}

/// STATX (`fuse_statx_in`, since 7.39).
public struct StatxRequest: Sendable {
  public let handle: UInt64?
  public let flags: UInt32
  public let mask: UInt32

  public init(_ reader: inout RequestReader) throws(MessageError) {
    let which: UInt32 = try reader.load()
    try reader.skip(4)
    let value: UInt64 = try reader.load()
    handle = which & 1 != 0 ? value : nil
    flags = try reader.load()
    mask = try reader.load()
  }
}

/// Reply to STATX (`fuse_statx_out`).
public struct StatxReply: Sendable {
  public static let size = 288

  public var attributes: Attributes
  public var validity: Validity
  /// STATX_* bits of what the reply knows.
  public var mask: UInt32
  public var born: Timestamp
  /// STATX_ATTR_* bits, and which of them are known.
  public var flags: UInt64
  public var knownFlags: UInt64

  public init(
    attributes: Attributes, validity: Validity, mask: UInt32, born: Timestamp, flags: UInt64, knownFlags: UInt64
  ) {
    self.attributes = attributes
    self.validity = validity
    self.mask = mask
    self.born = born
    self.flags = flags
    self.knownFlags = knownFlags
  }

  public func write(to reply: inout ReplyWriter) throws(MessageError) {
    try reply.append(validity.seconds)
    try reply.append(validity.nanoseconds)
    try reply.append(UInt32(0))
    try reply.pad(16)
    try reply.append(mask)
    try reply.append(attributes.blockSize)
    try reply.append(flags)
    try reply.append(attributes.links)
    try reply.append(attributes.uid)
    try reply.append(attributes.gid)
    try reply.append(UInt16(truncatingIfNeeded: attributes.mode))
    try reply.append(UInt16(0))
    try reply.append(attributes.inode)
    try reply.append(attributes.length)
    try reply.append(attributes.blocks)
    try reply.append(knownFlags)
    try write(attributes.accessed, to: &reply)
    try write(born, to: &reply)
    try write(attributes.changed, to: &reply)
    try write(attributes.modified, to: &reply)
    let (major, minor) = Attributes.decodeDevice(attributes.device)
    try reply.append(major)
    try reply.append(minor)
    try reply.append(UInt64(0))
    for _ in 0..<14 { try reply.append(UInt64(0)) }
  }

  private func write(_ time: Timestamp, to reply: inout ReplyWriter) throws(MessageError) {
    try reply.append(time.seconds)
    try reply.append(time.nanoseconds)
    try reply.append(UInt32(0))
  }
}
