/// FORGET of one node, and each part of BATCH_FORGET (`fuse_forget_one`).
public struct ForgetRequest: Sendable {
  public let node: UInt64
  /// How many lookups the client gives back.
  public let lookups: UInt64

  /// - Parameter node: the node of the header for FORGET, nil for a part of BATCH_FORGET.
  public init(_ reader: inout RequestReader, node: UInt64? = nil) throws(MessageError) {
    if let node { self.node = node } else { self.node = try reader.load() }
    lookups = try reader.load()
  }
}

/// MKNOD (`fuse_mknod_in`).
public struct MknodRequest: Sendable {
  public let mode: UInt32
  /// The device number in the kernel's 32-bit encoding.
  public let device: UInt32
  public let umask: UInt32
  public let name: FileName

  public init(_ reader: inout RequestReader) throws(MessageError) {
    mode = try reader.load()
    device = try reader.load()
    umask = try reader.load()
    try reader.skip(4)
    name = try reader.name()
  }
}

/// MKDIR (`fuse_mkdir_in`).
public struct MkdirRequest: Sendable {
  public let mode: UInt32
  public let umask: UInt32
  public let name: FileName

  public init(_ reader: inout RequestReader) throws(MessageError) {
    mode = try reader.load()
    umask = try reader.load()
    name = try reader.name()
  }
}

/// SYMLINK: the new name, then the target.
public struct SymlinkRequest: Sendable {
  public let name: FileName
  public let target: [UInt8]

  public init(_ reader: inout RequestReader) throws(MessageError) {
    name = try reader.name()
    target = try reader.terminatedBytes(limit: 4095)
  }
}

/// LINK (`fuse_link_in`).
public struct LinkRequest: Sendable {
  /// The node that gets another name.
  public let node: UInt64
  public let name: FileName

  public init(_ reader: inout RequestReader) throws(MessageError) {
    node = try reader.load()
    name = try reader.name()
  }
}

/// RENAME and RENAME2 (`fuse_rename_in`, `fuse_rename2_in`).
public struct RenameRequest: Sendable {
  public let newParent: UInt64
  /// RENAME_* as in renameat2(2).
  public let flags: UInt32
  public let oldName: FileName
  public let newName: FileName

  public init(_ reader: inout RequestReader, hasFlags: Bool) throws(MessageError) {
    newParent = try reader.load()
    if hasFlags {
      flags = try reader.load()
      try reader.skip(4)
    } else {
      flags = 0
    }
    oldName = try reader.name()
    newName = try reader.name()
  }
}

/// Reply of everything that finds or makes a name (`fuse_entry_out`).
public struct EntryReply: Sendable {
  public static let size = 40 + Attributes.size

  /// The node's id, 0 for a name known not to exist.
  public var node: UInt64
  public var generation: UInt64 = 0
  /// How long the name stays, and how long its attributes.
  public var entryValidity: Validity
  public var attributeValidity: Validity
  public var attributes: Attributes

  public init(node: UInt64, entryValidity: Validity, attributeValidity: Validity, attributes: Attributes) {
    self.node = node
    self.entryValidity = entryValidity
    self.attributeValidity = attributeValidity
    self.attributes = attributes
  }

  public func write(to reply: inout ReplyWriter) throws(MessageError) {
    guard reply.room >= EntryReply.size else { throw .replyTooSmall }
    try reply.append(node)
    try reply.append(generation)
    try reply.append(entryValidity.seconds)
    try reply.append(attributeValidity.seconds)
    try reply.append(entryValidity.nanoseconds)
    try reply.append(attributeValidity.nanoseconds)
    try attributes.write(to: &reply)
  }
}
