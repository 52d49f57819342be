/// READ, READDIR and READDIRPLUS (`fuse_read_in`).
public struct ReadRequest: Sendable {
  public let handle: UInt64
  public let offset: UInt64
  /// Most bytes wanted.
  public let count: UInt32
  public let readFlags: UInt32
  public let lockOwner: UInt64
  /// O_* of the open file.
  public let flags: UInt32

  public init(_ reader: inout RequestReader) throws(MessageError) {
    handle = try reader.load()
    offset = try reader.load()
    count = try reader.load()
    readFlags = try reader.load()
    lockOwner = try reader.load()
    flags = try reader.load()
    try reader.skip(4)
  }
}

/// WRITE (`fuse_write_in`); the data follows in the reader.
public struct WriteRequest: Sendable {
  public let handle: UInt64
  public let offset: UInt64
  public let count: UInt32
  /// The page cache writes, not a process.
  public let isFromCache: Bool
  /// setuid and setgid are to be cleared (FUSE_WRITE_KILL_SUIDGID).
  public let killPrivileges: Bool
  public let lockOwner: UInt64
  public let flags: UInt32

  public init(_ reader: inout RequestReader) throws(MessageError) {
    handle = try reader.load()
    offset = try reader.load()
    count = try reader.load()
    let writeFlags: UInt32 = try reader.load()
    isFromCache = writeFlags & 1 != 0
    killPrivileges = writeFlags & 4 != 0
    lockOwner = try reader.load()
    flags = try reader.load()
    try reader.skip(4)
  }
}

/// FALLOCATE (`fuse_fallocate_in`).
public struct FallocateRequest: Sendable {
  public let handle: UInt64
  public let offset: UInt64
  public let count: UInt64
  /// FALLOC_FL_* as in fallocate(2).
  public let mode: UInt32

  public init(_ reader: inout RequestReader) throws(MessageError) {
    handle = try reader.load()
    offset = try reader.load()
    count = try reader.load()
    mode = try reader.load()
    try reader.skip(4)
  }
}

/// LSEEK (`fuse_lseek_in`): only SEEK_DATA and SEEK_HOLE reach the server.
public struct LseekRequest: Sendable {
  public let handle: UInt64
  public let offset: UInt64
  public let whence: UInt32

  public init(_ reader: inout RequestReader) throws(MessageError) {
    handle = try reader.load()
    offset = try reader.load()
    whence = try reader.load()
    try reader.skip(4)
  }
}

/// COPY_FILE_RANGE (`fuse_copy_file_range_in`).
public struct CopyFileRangeRequest: Sendable {
  public let handleIn: UInt64
  public let offsetIn: UInt64
  public let nodeOut: UInt64
  public let handleOut: UInt64
  public let offsetOut: UInt64
  public let count: UInt64
  public let flags: UInt64

  public init(_ reader: inout RequestReader) throws(MessageError) {
    handleIn = try reader.load()
    offsetIn = try reader.load()
    nodeOut = try reader.load()
    handleOut = try reader.load()
    offsetOut = try reader.load()
    count = try reader.load()
    flags = try reader.load()
  }
}

/// Reply to STATFS (`fuse_kstatfs`).
public struct StatfsReply: Sendable {
  public static let size = 80

  public var blocks: UInt64
  public var blocksFree: UInt64
  public var blocksAvailable: UInt64
  public var files: UInt64
  public var filesFree: UInt64
  public var blockSize: UInt32
  public var nameLength: UInt32
  public var fragmentSize: UInt32

  public init(
    blocks: UInt64, blocksFree: UInt64, blocksAvailable: UInt64, files: UInt64, filesFree: UInt64, blockSize: UInt32,
    nameLength: UInt32, fragmentSize: UInt32
  ) {
    self.blocks = blocks
    self.blocksFree = blocksFree
    self.blocksAvailable = blocksAvailable
    self.files = files
    self.filesFree = filesFree
    self.blockSize = blockSize
    self.nameLength = nameLength
    self.fragmentSize = fragmentSize
  }

  public func write(to reply: inout ReplyWriter) throws(MessageError) {
    try reply.append(blocks)
    try reply.append(blocksFree)
    try reply.append(blocksAvailable)
    try reply.append(files)
    try reply.append(filesFree)
    try reply.append(blockSize)
    try reply.append(nameLength)
    try reply.append(fragmentSize)
    try reply.pad(28)
  }
}
