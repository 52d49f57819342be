/// READ, READDIR and READDIRPLUS (`fuse_read_in`).
package struct ReadRequest: Sendable {
  package let handle: UInt64
  package let offset: UInt64
  /// Most bytes wanted.
  package let count: UInt32
  package let readFlags: UInt32
  package let lockOwner: UInt64
  /// O_* of the open file.
  package let flags: UInt32

  package init(_ reader: inout RequestReader) throws(MessageError) {
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
package struct WriteRequest: Sendable {
  package let handle: UInt64
  package let offset: UInt64
  package let count: UInt32
  /// The page cache writes, not a process.
  package let isFromCache: Bool
  /// setuid and setgid are to be cleared (FUSE_WRITE_KILL_SUIDGID).
  package let killPrivileges: Bool
  package let lockOwner: UInt64
  package let flags: UInt32

  package init(_ reader: inout RequestReader) throws(MessageError) {
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
package struct FallocateRequest: Sendable {
  package let handle: UInt64
  package let offset: UInt64
  package let count: UInt64
  /// FALLOC_FL_* as in fallocate(2).
  package let mode: UInt32

  package init(_ reader: inout RequestReader) throws(MessageError) {
    handle = try reader.load()
    offset = try reader.load()
    count = try reader.load()
    mode = try reader.load()
    try reader.skip(4)
  }
}

/// LSEEK (`fuse_lseek_in`): only SEEK_DATA and SEEK_HOLE reach the server.
package struct LseekRequest: Sendable {
  package let handle: UInt64
  package let offset: UInt64
  package let whence: UInt32

  package init(_ reader: inout RequestReader) throws(MessageError) {
    handle = try reader.load()
    offset = try reader.load()
    whence = try reader.load()
    try reader.skip(4)
  }
}

/// COPY_FILE_RANGE (`fuse_copy_file_range_in`).
package struct CopyFileRangeRequest: Sendable {
  package let handleIn: UInt64
  package let offsetIn: UInt64
  package let nodeOut: UInt64
  package let handleOut: UInt64
  package let offsetOut: UInt64
  package let count: UInt64
  package let flags: UInt64

  package init(_ reader: inout RequestReader) throws(MessageError) {
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
package struct StatfsReply: Sendable {
  package static let size = 80

  package var blocks: UInt64
  package var blocksFree: UInt64
  package var blocksAvailable: UInt64
  package var files: UInt64
  package var filesFree: UInt64
  package var blockSize: UInt32
  package var nameLength: UInt32
  package var fragmentSize: UInt32

  package init(
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

  package func write(to reply: inout ReplyWriter) throws(MessageError) {
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
