import FUSE
import Host

/// Requests about attributes.
extension FileSystemServer {
  func getattr(
    _ header: RequestHeader, _ reader: inout RequestReader, _ reply: inout ReplyWriter
  ) throws(Failure) {
    _ = try message { () throws(MessageError) in try GetattrRequest(&reader) }
    let node = try node(header.node)
    let status = try status(node)
    try write(node, status, to: &reply)
  }

  func setattr(
    _ header: RequestHeader, _ reader: inout RequestReader, _ reply: inout ReplyWriter
  ) throws(Failure) {
    let request = try message { () throws(MessageError) in try SetattrRequest(&reader) }
    let node = try node(header.node)
    if Announcements.isStamp(request) { return try announce(node, Announcements.Kind(request), &reply) }
    let status = try host { () throws(Errno) in try tree.setAttributes(node, request) }
    announcements.changed(node.id)
    try write(node, status, to: &reply)
  }

  func statx(_ header: RequestHeader, _ reader: inout RequestReader, _ reply: inout ReplyWriter) throws(Failure) {
    _ = try message { () throws(MessageError) in try StatxRequest(&reader) }
    let node = try node(header.node)
    let status = try status(node)
    let answer = StatxReply(
      attributes: attributes(node, status), validity: FileSystemServer.validity(node),
      mask: FileSystemServer.statxBasic | (status.hasBirthTime ? FileSystemServer.statxBorn : 0),
      born: Timestamp(status.born), flags: status.attributes & FileSystemServer.shownFlags,
      knownFlags: status.knownAttributes & FileSystemServer.shownFlags)
    try message { () throws(MessageError) in try answer.write(to: &reply) }
  }

  /// The attributes of a node, and if the host has taken its name away, of what is still open of it.
  func status(_ node: Node) throws(Failure) -> FileStatus {
    do throws(Errno) {
      return try tree.namespace.withReadLock { () throws(Errno) in try tree.status(of: node) }
    } catch {
      guard error == .stale, let open = tree.files.find(node, forWriting: false) else { throw .host(error) }
      return try host { () throws(Errno) in
        try tree.namespace.withReadLock { () throws(Errno) in try tree.status(of: node, open: open) }
      }
    }
  }

  private static let statxBasic: UInt32 = 0x7ff
  private static let statxBorn: UInt32 = 0x800
  /// Compressed, immutable, append-only, no-dump, encrypted, verity: what is true of the file in the guest as well.
  private static let shownFlags: UInt64 = 0x4 | 0x10 | 0x20 | 0x40 | 0x800 | 0x10_0000

  func write(_ node: Node, _ status: FileStatus, to reply: inout ReplyWriter) throws(Failure) {
    let answer = AttributesReply(attributes: attributes(node, status), validity: FileSystemServer.validity(node))
    try message { () throws(MessageError) in try answer.write(to: &reply) }
  }

  func statfs(_ header: RequestHeader, _ reply: inout ReplyWriter) throws(Failure) {
    let node = try node(header.node)
    let root = tree.fileSystem(of: node)
    let result = try host { () throws(Errno) in try FileCalls.fileSystem(root.raw) }
    var answer = StatfsReply(
      blocks: UInt64(result.f_blocks), blocksFree: UInt64(result.f_bfree), blocksAvailable: UInt64(result.f_bavail),
      files: UInt64(result.f_files), filesFree: UInt64(result.f_ffree), blockSize: UInt32(clamping: result.f_bsize),
      nameLength: UInt32(clamping: result.f_namelen), fragmentSize: UInt32(clamping: result.f_frsize))
    if let allowance = node.writeLayer?.allowance { allowance.shrink(&answer) }
    try message { () throws(MessageError) in try answer.write(to: &reply) }
  }

  // MARK: Extended attributes

  func setxattr(_ header: RequestHeader, _ reader: inout RequestReader) throws(Failure) {
    let isExtended = settings.flags.contains(.setxattrExtended)
    let request = try message { () throws(MessageError) in try SetxattrRequest(&reader, isExtended: isExtended) }
    let node = try node(header.node)
    try host { () throws(Errno) in
      try tree.setAttribute(
        node, request.name, request.value, flags: request.flags, killSetgid: request.killSetgid)
    }
  }

  func getxattr(
    _ header: RequestHeader, _ reader: inout RequestReader, _ reply: inout ReplyWriter
  ) throws(Failure) {
    let request = try message { () throws(MessageError) in try GetxattrRequest(&reader, hasName: true) }
    let node = try node(header.node)
    let value = try host { () throws(Errno) in try tree.attribute(node, request.name) }
    try answer(value, limit: request.count, &reply)
  }

  func listxattr(
    _ header: RequestHeader, _ reader: inout RequestReader, _ reply: inout ReplyWriter
  ) throws(Failure) {
    let request = try message { () throws(MessageError) in try GetxattrRequest(&reader, hasName: false) }
    let node = try node(header.node)
    let names = try host { () throws(Errno) in try tree.attributeNames(node, isRoot: header.uid == 0) }
    try answer(names, limit: request.count, &reply)
  }

  /// A value, or with `limit` 0 only its length.
  private func answer(_ value: [UInt8], limit: UInt32, _ reply: inout ReplyWriter) throws(Failure) {
    if limit == 0 {
      return try message { () throws(MessageError) in
        try reply.append(UInt32(value.count))
        try reply.append(UInt32(0))
      }
    }
    if value.count > limit { throw .host(.outOfRange) }
    try message { () throws(MessageError) in try reply.append(value) }
  }

  func removexattr(_ header: RequestHeader, _ reader: inout RequestReader) throws(Failure) {
    let name = try message { () throws(MessageError) in
      try reader.terminatedBytes(limit: SetxattrRequest.maximumName)
    }
    let node = try node(header.node)
    try host { () throws(Errno) in try tree.removeAttribute(node, name) }
  }
}
