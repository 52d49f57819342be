import FUSE
import Host

/// The ioctls of file systems that a guest may use on its files.
extension FileSystemServer {
  /// `_IOC` numbers of linux/fs.h and linux/fsverity.h.
  private enum Command {
    static let getFlags: UInt32 = 0x8008_6601
    static let setFlags: UInt32 = 0x4008_6602
    static let getVersion: UInt32 = 0x8008_7601
    static let getAttributes: UInt32 = 0x801c_581f
    static let setAttributes: UInt32 = 0x401c_5820
    static let enableVerity: UInt32 = 0x4080_6685
    static let measureVerity: UInt32 = 0xc004_6686
  }

  func ioctl(_ header: RequestHeader, _ reader: inout RequestReader, _ reply: inout ReplyWriter) throws(Failure) {
    let request = try message { () throws(MessageError) in try IoctlRequest(&reader) }
    let node = try node(header.node)
    let output = try host { () throws(Errno) in try perform(request, node) }
    // Linux takes no more than it asked for.
    let result = IoctlReply(output: Array(output.prefix(Int(request.outputSize))))
    try message { () throws(MessageError) in try result.write(to: &reply) }
  }

  private func perform(_ request: IoctlRequest, _ node: Node) throws(Errno) -> [UInt8] {
    let input = request.input
    switch request.command {
    case Command.getFlags:
      let file = try tree.opened(node)
      let flags = try InodeFlags.get(file.raw)
      // A long to its callers, an int to those who know.
      return [0, 8, 16, 24, 32, 40, 48, 56].map { UInt8(truncatingIfNeeded: UInt64(flags) >> $0) }
    case Command.setFlags:
      guard input.count >= 4 else { throw .invalid }
      let flags = load32(input, at: 0)
      try tree.change(node) { (file) throws(Errno) in
        try tree.checkFlags(node, from: try InodeFlags.get(file.raw), to: flags)
        try InodeFlags.set(file.raw, flags)
      }
      return []
    case Command.getVersion:
      let version = try InodeFlags.version(try tree.opened(node).raw)
      // An int, as file systems have it, and programs room for.
      return [0, 8, 16, 24].map { UInt8(truncatingIfNeeded: version >> $0) }
    case Command.getAttributes:
      let file = try tree.opened(node)
      return try InodeFlags.attributes(file.raw)
    case Command.setAttributes:
      try tree.change(node) { (file) throws(Errno) in
        try tree.checkAttributes(node, from: try InodeFlags.attributes(file.raw), to: input)
        try InodeFlags.setAttributes(file.raw, input)
      }
      return []
    case Command.enableVerity:
      guard node.isRegular, input.count >= 128, load32(input, at: 0) == 1 else { throw .invalid }
      // The salt and the signature follow the structure that tells how long they are.
      let (saltSize, signatureSize) = (Int(load32(input, at: 12)), Int(load32(input, at: 24)))
      guard input.count == 128 + saltSize + signatureSize else { throw .invalid }
      try tree.change(node) { (file) throws(Errno) in
        try InodeFlags.enableVerity(
          file.raw, algorithm: load32(input, at: 4), blockSize: load32(input, at: 8),
          salt: Array(input[128..<(128 + saltSize)]), signature: Array(input[(128 + saltSize)...]))
      }
      return []
    case Command.measureVerity:
      guard node.isRegular, request.outputSize >= 4 else { throw .invalid }
      let room = UInt16(clamping: request.outputSize - 4)
      let file = try tree.opened(node)
      return try InodeFlags.verityDigest(file.raw, room: min(room, 64))
    default: throw .notTerminal
    }
  }

  private func load32(_ bytes: [UInt8], at offset: Int) -> UInt32 {
    (0..<4).reduce(0) { $0 | UInt32(bytes[offset + $1]) << UInt32(8 * $1) }
  }
}

extension LayeredTree {
  /// Root's process may set flags that no user of the host could take off again, or that cost its administrator: those are not
  /// the guest's to set where others can come to the files.
  fileprivate func checkFlags(_ node: Node, from old: UInt32, to new: UInt32) throws(Errno) {
    guard ownership == .real, node.writeLayer?.isOpenToOthers != false else { return }
    if (old ^ new) & ~InodeFlags.harmless != 0 { throw .notPermitted }
  }

  /// The same for `struct fsxattr`: of its flags, and of the project whose quota the file counts against, wherever it lies.
  fileprivate func checkAttributes(_ node: Node, from old: [UInt8], to new: [UInt8]) throws(Errno) {
    let size = InodeFlags.attributesSize
    guard ownership == .real, old.count == size, new.count == size else { return }
    // Offsets of linux/fs.h: flags 0, extent size hint 4, extents 8 (not set), project 12, copy-on-write hint 16.
    guard old[12..<16] == new[12..<16] else { throw .notPermitted }
    var changed: UInt32 = 0
    for index in 0..<4 { changed |= UInt32(old[index] ^ new[index]) << UInt32(8 * index) }
    if changed & InodeFlags.inheritsProject != 0 { throw .notPermitted }
    guard node.writeLayer?.isOpenToOthers != false else { return }
    if changed & ~InodeFlags.harmlessAttributes != 0 { throw .notPermitted }
  }

  /// A file or directory, open for reading, to ask it for what is not in its attributes.
  fileprivate func opened(_ node: Node) throws(Errno) -> SharedDescriptor {
    if !node.isDirectory { return try file(of: node, forWriting: false) }
    return try namespace.withReadLock { () throws(Errno) in
      guard let top = node.topPart else { throw .notTerminal }
      let dot: [UInt8] = [UInt8(ascii: "."), 0]
      let directory = try descriptor(of: node, top)
      return SharedDescriptor(try FileCalls.openBeneath(directory.raw, dot.span, OpenFlags.directory))
    }
  }

  /// Changes a file or directory, in its write map, by a descriptor that is open for reading. None that was open before is used
  /// for writing afterwards, since that may be forbidden now.
  fileprivate func change(_ node: Node, _ body: (SharedDescriptor) throws(Errno) -> Void) throws(Errno) {
    try copyUp(node)
    files.drop(node)
    defer { files.drop(node) }
    try body(try opened(node))
  }
}
