/// OPEN and OPENDIR (`fuse_open_in`).
package struct OpenRequest: Sendable {
  /// O_* as in open(2).
  package let flags: UInt32
  /// FUSE_OPEN_KILL_SUIDGID.
  package let killPrivileges: Bool

  package init(_ reader: inout RequestReader) throws(MessageError) {
    flags = try reader.load()
    killPrivileges = try reader.load(UInt32.self) & 1 != 0
  }
}

/// CREATE and TMPFILE (`fuse_create_in`).
package struct CreateRequest: Sendable {
  package let flags: UInt32
  package let mode: UInt32
  package let umask: UInt32
  package let killPrivileges: Bool
  /// For TMPFILE the client sends "/", which is no name.
  package let name: FileName?

  package init(_ reader: inout RequestReader, isTemporary: Bool = false) throws(MessageError) {
    flags = try reader.load()
    mode = try reader.load()
    umask = try reader.load()
    killPrivileges = try reader.load(UInt32.self) & 1 != 0
    name = isTemporary ? nil : try reader.name()
  }
}

/// Reply to OPEN and OPENDIR, and second part of the reply to CREATE and TMPFILE (`fuse_open_out`).
package struct OpenReply: Sendable {
  package struct Flags: OptionSet, Sendable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package static let directIO = Flags(rawValue: 1 << 0)
    package static let keepCache = Flags(rawValue: 1 << 1)
    package static let nonSeekable = Flags(rawValue: 1 << 2)
    package static let cacheDirectory = Flags(rawValue: 1 << 3)
    package static let stream = Flags(rawValue: 1 << 4)
    package static let noFlush = Flags(rawValue: 1 << 5)
    package static let parallelDirectWrites = Flags(rawValue: 1 << 6)
  }

  package static let size = 16

  package var handle: UInt64
  package var flags: Flags

  package init(handle: UInt64, flags: Flags) {
    self.handle = handle
    self.flags = flags
  }

  package func write(to reply: inout ReplyWriter) throws(MessageError) {
    try reply.append(handle)
    try reply.append(flags.rawValue)
    try reply.append(UInt32(0))
  }
}

/// RELEASE and RELEASEDIR (`fuse_release_in`).
package struct ReleaseRequest: Sendable {
  package let handle: UInt64
  package let flags: UInt32
  package let releaseFlags: UInt32
  package let lockOwner: UInt64

  package init(_ reader: inout RequestReader) throws(MessageError) {
    handle = try reader.load()
    flags = try reader.load()
    releaseFlags = try reader.load()
    lockOwner = try reader.load()
  }
}

/// FLUSH (`fuse_flush_in`).
package struct FlushRequest: Sendable {
  package let handle: UInt64
  package let lockOwner: UInt64

  package init(_ reader: inout RequestReader) throws(MessageError) {
    handle = try reader.load()
    try reader.skip(8)
    lockOwner = try reader.load()
  }
}

/// FSYNC and FSYNCDIR (`fuse_fsync_in`).
package struct FsyncRequest: Sendable {
  package let handle: UInt64
  /// Times and the like need not be on disk (fdatasync).
  package let dataOnly: Bool

  package init(_ reader: inout RequestReader) throws(MessageError) {
    handle = try reader.load()
    dataOnly = try reader.load(UInt32.self) & 1 != 0
    try reader.skip(4)
  }
}
