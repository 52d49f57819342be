import FUSE
import Host

/// Requests about names.
extension FileSystemServer {
  func lookUp(
    _ header: RequestHeader, _ reader: inout RequestReader, _ reply: inout ReplyWriter
  ) throws(Failure) {
    let name = try message { () throws(MessageError) in try reader.name() }
    let parent = try node(header.node)
    if let entry = try host({ () throws(Errno) in try tree.lookUp(parent, name) }) {
      try write(entry, to: &reply)
    } else {
      // That there is no such name may be remembered too.
      let nothing = EntryReply(
        node: 0, entryValidity: FileSystemServer.validity(parent), attributeValidity: Validity(seconds: 0),
        attributes: Attributes())
      try message { () throws(MessageError) in try nothing.write(to: &reply) }
    }
  }

  func mknod(_ header: RequestHeader, _ reader: inout RequestReader, _ reply: inout ReplyWriter) throws(Failure) {
    let request = try message { () throws(MessageError) in try MknodRequest(&reader) }
    let object: LayeredTree.NewObject
    switch request.mode & FileType.mask {
    case FileType.regular, 0: object = .file
    case FileType.fifo, FileType.socket: object = .special(major: 0, minor: 0)
    case FileType.characterDevice, FileType.blockDevice:
      let (major, minor) = Attributes.decodeDevice(request.device)
      object = .special(major: major, minor: minor)
    default: throw .host(.invalid)
    }
    try make(object, header, request.name, mode: request.mode, umask: request.umask, &reply)
  }

  func mkdir(_ header: RequestHeader, _ reader: inout RequestReader, _ reply: inout ReplyWriter) throws(Failure) {
    let request = try message { () throws(MessageError) in try MkdirRequest(&reader) }
    try make(.directory, header, request.name, mode: request.mode, umask: request.umask, &reply)
  }

  func symlink(
    _ header: RequestHeader, _ reader: inout RequestReader, _ reply: inout ReplyWriter
  ) throws(Failure) {
    let request = try message { () throws(MessageError) in try SymlinkRequest(&reader) }
    try make(.symlink(target: request.target), header, request.name, mode: 0o777, umask: 0, &reply)
  }

  private func make(
    _ object: LayeredTree.NewObject, _ header: RequestHeader, _ name: FileName, mode: UInt32, umask: UInt32,
    _ reply: inout ReplyWriter
  ) throws(Failure) {
    let parent = try node(header.node)
    let made = try host { () throws(Errno) in
      try tree.make(object, parent, name, mode: mode, by: caller(header, umask: umask))
    }
    announcements.changed(made.entry.node.id)
    try write(made.entry, to: &reply)
  }

  /// Who asks. The client takes the umask off the mode itself, unless access lists were agreed on.
  func caller(_ header: RequestHeader, umask: UInt32) -> Caller {
    Caller(uid: header.uid, gid: header.gid, umask: settings.flags.contains(.dontMask) ? umask & 0o777 : 0)
  }

  func link(_ header: RequestHeader, _ reader: inout RequestReader, _ reply: inout ReplyWriter) throws(Failure) {
    let request = try message { () throws(MessageError) in try LinkRequest(&reader) }
    let (old, parent) = (try node(request.node), try node(header.node))
    let entry = try host { () throws(Errno) in try tree.link(old, parent, request.name) }
    announcements.changed(old.id)
    try write(entry, to: &reply)
  }

  func remove(_ header: RequestHeader, _ reader: inout RequestReader, isDirectory: Bool) throws(Failure) {
    let name = try message { () throws(MessageError) in try reader.name() }
    let parent = try node(header.node)
    try host { () throws(Errno) in try tree.remove(parent, name, isDirectory: isDirectory) }
  }

  func rename(_ header: RequestHeader, _ reader: inout RequestReader, hasFlags: Bool) throws(Failure) {
    let request = try message { () throws(MessageError) in try RenameRequest(&reader, hasFlags: hasFlags) }
    let (oldParent, newParent) = (try node(header.node), try node(request.newParent))
    try host { () throws(Errno) in
      try tree.rename(
        oldParent, request.oldName, to: newParent, request.newName, RenameFlags(rawValue: request.flags),
        by: caller(header, umask: 0))
    }
    guard announcements.isActive else { return }
    announcements.changed(newParent.id)
    // Under the old name is something after an exchange.
    for (parent, name) in [(newParent, request.newName), (oldParent, request.oldName)] {
      let moved = tree.namespace.withReadLock { tree.nodes.peek(parent, name.terminated) }
      if let moved { announcements.changed(moved.id) }
    }
  }

  func readlink(_ header: RequestHeader, _ reply: inout ReplyWriter) throws(Failure) {
    let node = try node(header.node)
    let target = try host { () throws(Errno) in try tree.readLink(node) }
    try message { () throws(MessageError) in try reply.append(target) }
  }

  // MARK: Replies

  func entryReply(_ node: Node, _ status: FileStatus) -> EntryReply {
    let validity = FileSystemServer.validity(node)
    return EntryReply(
      node: node.id, entryValidity: validity, attributeValidity: validity, attributes: attributes(node, status))
  }

  /// Replies with an entry; if that is not possible the lookup is given back.
  func write(_ entry: Entry, to reply: inout ReplyWriter) throws(Failure) {
    do throws(MessageError) {
      try entryReply(entry.node, entry.status).write(to: &reply)
    } catch {
      tree.nodes.forget(entry.node.id, 1)
      throw .message(error)
    }
  }

  /// Whether the guest shall map a file rather than read it: a large one of a read layer. A small one takes fewer exits to
  /// read, and what is written would be mapped anew with every change of its length.
  private func isWorthMapping(_ node: Node, _ status: FileStatus) -> Bool {
    node.isMappable && status.isRegular && status.length >= 512 << 10
  }

  func attributes(_ node: Node, _ status: FileStatus) -> Attributes {
    var attributes = Attributes()
    attributes.inode = node.inode
    attributes.length = status.length
    attributes.blocks = status.blocks
    // Linux asks for them anew once a file is closed. Until then one without blocks would be taken for a hole altogether, by
    // tar --sparse, whatever is written to it.
    if settings.flags.contains(.writebackCache), status.isRegular { attributes.blocks = max(1, attributes.blocks) }
    attributes.accessed = Timestamp(status.accessed)
    attributes.modified = Timestamp(status.modified)
    attributes.changed = Timestamp(status.changed)
    attributes.mode = status.mode
    attributes.links = status.links
    attributes.uid = status.uid
    attributes.gid = status.gid
    attributes.device = Attributes.encodeDevice(major: status.specialMajor, minor: status.specialMinor)
    attributes.blockSize = status.blockSize
    if settings.flags.contains(.inodeDAX), isWorthMapping(node, status) {
      attributes.flags |= Attributes.isDAX
      // Linux writes such a file back only where its blocks are pages.
      attributes.blockSize = 4096
    }
    return attributes
  }
}

extension Timestamp {
  init(_ time: FileTime) {
    self.init(seconds: time.seconds, nanoseconds: time.nanoseconds)
  }
}
