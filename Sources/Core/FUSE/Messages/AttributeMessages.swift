/// GETATTR (`fuse_getattr_in`).
package struct GetattrRequest: Sendable {
  /// The open file to ask instead of the node, if the client names one (FUSE_GETATTR_FH).
  package let handle: UInt64?

  package init(_ reader: inout RequestReader) throws(MessageError) {
    let flags: UInt32 = try reader.load()
    try reader.skip(4)
    let value: UInt64 = try reader.load()
    handle = flags & 1 != 0 ? value : nil
  }
}

/// SETATTR (`fuse_setattr_in`): `valid` tells which fields count.
package struct SetattrRequest: Sendable {
  package struct Valid: OptionSet, Sendable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package static let mode = Valid(rawValue: 1 << 0)
    package static let uid = Valid(rawValue: 1 << 1)
    package static let gid = Valid(rawValue: 1 << 2)
    package static let size = Valid(rawValue: 1 << 3)
    package static let accessed = Valid(rawValue: 1 << 4)
    package static let modified = Valid(rawValue: 1 << 5)
    package static let handle = Valid(rawValue: 1 << 6)
    package static let accessedNow = Valid(rawValue: 1 << 7)
    package static let modifiedNow = Valid(rawValue: 1 << 8)
    package static let lockOwner = Valid(rawValue: 1 << 9)
    package static let changed = Valid(rawValue: 1 << 10)
    package static let killPrivileges = Valid(rawValue: 1 << 11)
  }

  package let valid: Valid
  package let handle: UInt64
  package let length: UInt64
  package let accessed: Timestamp
  package let modified: Timestamp
  package let changed: Timestamp
  package let mode: UInt32
  package let uid: UInt32
  package let gid: UInt32

  package init(_ reader: inout RequestReader) throws(MessageError) {
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
package struct AttributesReply: Sendable {
  package static let size = 16 + Attributes.size

  package var attributes: Attributes
  package var validity: Validity

  package init(attributes: Attributes, validity: Validity) {
    self.attributes = attributes
    self.validity = validity
  }

  package func write(to reply: inout ReplyWriter) throws(MessageError) {
    try reply.append(validity.seconds)
    try reply.append(validity.nanoseconds)
    try reply.append(UInt32(0))
    try attributes.write(to: &reply)
  }
}

/// STATX (`fuse_statx_in`, since 7.39).
package struct StatxRequest: Sendable {
  package let handle: UInt64?
  package let flags: UInt32
  package let mask: UInt32

  package init(_ reader: inout RequestReader) throws(MessageError) {
    let which: UInt32 = try reader.load()
    try reader.skip(4)
    let value: UInt64 = try reader.load()
    handle = which & 1 != 0 ? value : nil
    flags = try reader.load()
    mask = try reader.load()
  }
}

/// Reply to STATX (`fuse_statx_out`).
package struct StatxReply: Sendable {
  package static let size = 288

  package var attributes: Attributes
  package var validity: Validity
  /// STATX_* bits of what the reply knows.
  package var mask: UInt32
  package var born: Timestamp
  /// STATX_ATTR_* bits, and which of them are known.
  package var flags: UInt64
  package var knownFlags: UInt64

  package init(
    attributes: Attributes, validity: Validity, mask: UInt32, born: Timestamp, flags: UInt64, knownFlags: UInt64
  ) {
    self.attributes = attributes
    self.validity = validity
    self.mask = mask
    self.born = born
    self.flags = flags
    self.knownFlags = knownFlags
  }

  package func write(to reply: inout ReplyWriter) throws(MessageError) {
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
