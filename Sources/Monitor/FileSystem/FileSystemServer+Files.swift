import FUSE
import Host

/// Requests about open files.
extension FileSystemServer {
  func open(_ header: RequestHeader, _ reader: inout RequestReader, _ reply: inout ReplyWriter) throws(Failure) {
    let request = try message { () throws(MessageError) in try OpenRequest(&reader) }
    let node = try node(header.node)
    try host { () throws(Errno) in
      try tree.open(node, flags: request.flags, killPrivileges: request.killPrivileges)
    }
    if Int32(bitPattern: request.flags) & OpenFlags.truncate != 0 { announcements.changed(node.id) }
    do throws(Failure) {
      try answerOpen(node, &reply)
    } catch {
      tree.release(node)
      throw error
    }
  }

  private func answerOpen(_ node: Node, _ reply: inout ReplyWriter) throws(Failure) {
    var flags: OpenReply.Flags = [.noFlush, .parallelDirectWrites]
    switch node.caching {
    case .none: flags.insert(.directIO)
    case .auto: break
    case .always: flags.insert(.keepCache)
    }
    try message { () throws(MessageError) in try OpenReply(handle: 0, flags: flags).write(to: &reply) }
  }

  func create(_ header: RequestHeader, _ reader: inout RequestReader, _ reply: inout ReplyWriter) throws(Failure) {
    let request = try message { () throws(MessageError) in try CreateRequest(&reader) }
    guard let name = request.name else { throw .host(.invalid) }
    let parent = try node(header.node)
    let caller = caller(header, umask: request.umask)
    if !settings.isStateless { try host { () throws(Errno) in try tree.files.checkRoom() } }
    let made: (entry: Entry, file: SharedDescriptor?)
    do throws(Errno) {
      made = try tree.make(.file, parent, name, mode: request.mode, by: caller)
    } catch {
      guard error == .exists, Int32(bitPattern: request.flags) & OpenFlags.exclusive == 0 else { throw .host(error) }
      return try openExisting(parent, name, request, &reply)
    }
    if made.entry.status.mode & 0o6000 != 0 { made.entry.node.maySeal() }
    tree.files.add(made.entry.node, made.file!, isWritable: true)
    announcements.changed(made.entry.node.id)
    try answer(made.entry, &reply)
  }

  /// What CREATE should make is there, which the guest's kernel did not know yet.
  private func openExisting(
    _ parent: Node, _ name: FileName, _ request: CreateRequest, _ reply: inout ReplyWriter
  ) throws(Failure) {
    guard let entry = try host({ () throws(Errno) in try tree.lookUp(parent, name) }) else { throw .host(.notFound) }
    let status: FileStatus
    do throws(Errno) {
      try tree.open(entry.node, flags: request.flags, killPrivileges: request.killPrivileges)
      status = try tree.namespace.withReadLock { () throws(Errno) in try tree.status(of: entry.node) }
    } catch {
      tree.nodes.forget(entry.node.id, 1)
      throw .host(error)
    }
    tree.release(entry.node)
    try answer(Entry(node: entry.node, status: status), &reply)
  }

  func temporary(
    _ header: RequestHeader, _ reader: inout RequestReader, _ reply: inout ReplyWriter
  ) throws(Failure) {
    let request = try message { () throws(MessageError) in try CreateRequest(&reader, isTemporary: true) }
    let parent = try node(header.node)
    if !settings.isStateless { try host { () throws(Errno) in try tree.files.checkRoom() } }
    let made = try host { () throws(Errno) in
      try tree.makeTemporary(parent, mode: request.mode, by: caller(header, umask: request.umask))
    }
    if made.entry.status.mode & 0o6000 != 0 { made.entry.node.maySeal() }
    tree.files.add(made.entry.node, made.file, isWritable: true)
    try answer(made.entry, &reply)
  }

  /// The reply to CREATE and TMPFILE: the entry, and what an OPEN would answer.
  private func answer(_ entry: Entry, _ reply: inout ReplyWriter) throws(Failure) {
    try write(entry, to: &reply)
    if !settings.isStateless { tree.files.hold(entry.node) }
    do throws(Failure) {
      try answerOpen(entry.node, &reply)
    } catch {
      tree.release(entry.node)
      tree.nodes.forget(entry.node.id, 1)
      throw error
    }
  }

  func release(_ header: RequestHeader) throws(Failure) {
    // Clients that do not tell of their opens may yet tell of the end of what they made.
    if !settings.isStateless, let node = tree.nodes.node(header.node) { tree.release(node) }
  }

  // MARK: Data

  private func file(_ id: UInt64, forWriting: Bool) throws(Failure) -> SharedDescriptor {
    let node = try node(id)
    return try host { () throws(Errno) in try tree.file(of: node, forWriting: forWriting) }
  }

  /// A file may have another length now, which matters where the guest has mapped it.
  private func resized(_ id: UInt64, _ file: SharedDescriptor) {
    if let mapped = tree.mapped, let node = tree.nodes.node(id) { mapped.resized(node, file) }
  }

  func read(_ header: RequestHeader, _ reader: inout RequestReader, _ reply: inout ReplyWriter) throws(Failure) {
    let request = try message { () throws(MessageError) in try ReadRequest(&reader) }
    let file = try file(header.node, forWriting: false)
    try host { () throws(Errno) in
      try Transfer.read(file, request.offset, Int(request.count), to: &reply)
    }
  }

  func write(_ header: RequestHeader, _ reader: inout RequestReader, _ reply: inout ReplyWriter) throws(Failure) {
    let request = try message { () throws(MessageError) in try WriteRequest(&reader) }
    guard Int(request.count) <= reader.remaining else { throw .message(.truncated) }
    let node = try node(header.node)
    let file = try host { () throws(Errno) in try tree.file(of: node, forWriting: true) }
    if request.isFromCache, settings.flags.contains(.writebackCache) { tree.files.keepTime(node) }
    let written = try host { () throws(Errno) in
      try tree.withRoom(
        node, file, offset: request.offset, count: UInt64(request.count), killPrivileges: request.killPrivileges
      ) { () throws(Errno) in
        try Transfer.write(file, request.offset, Int(request.count), from: &reader, flags: request.flags)
      }
    }
    tree.mapped?.resized(node, file)
    try message { () throws(MessageError) in
      try reply.append(UInt32(written))
      try reply.append(UInt32(0))
    }
  }

  func fsync(_ header: RequestHeader, _ reader: inout RequestReader) throws(Failure) {
    let request = try message { () throws(MessageError) in try FsyncRequest(&reader) }
    let node = try node(header.node)
    // What lies in a layer below was never written.
    guard tree.namespace.withReadLock({ node.isUpper }) else { return }
    let file = try file(header.node, forWriting: false)
    try host { () throws(Errno) in try FileCalls.sync(file.raw, dataOnly: request.dataOnly) }
  }

  /// What a flag of WRITE asks for, by who asks: these requests have no such flag, and Linux leaves it to us
  /// (FUSE_HANDLE_KILLPRIV_V2). CAP_FSETID is taken for root's.
  private func killsPrivileges(_ header: RequestHeader) -> Bool { header.uid != 0 }

  func fallocate(_ header: RequestHeader, _ reader: inout RequestReader) throws(Failure) {
    let request = try message { () throws(MessageError) in try FallocateRequest(&reader) }
    let node = try node(header.node)
    let file = try file(header.node, forWriting: true)
    try host { () throws(Errno) in
      // FALLOC_FL_PUNCH_HOLE and FALLOC_FL_COLLAPSE_RANGE give room back.
      let count = request.mode & 0x0a != 0 ? 0 : request.count
      try tree.withRoom(
        node, file, offset: request.offset, count: count, killPrivileges: killsPrivileges(header)
      ) { () throws(Errno) in
        try FileCalls.allocate(
          file.raw, mode: request.mode, offset: request.offset, count: request.count)
      }
    }
    resized(header.node, file)
  }

  func lseek(_ header: RequestHeader, _ reader: inout RequestReader, _ reply: inout ReplyWriter) throws(Failure) {
    // Linux does not send what it holds back before it asks (fuse_lseek), so we could take what was just written for a hole.
    // After this answer the client does not ask again: to it all of a file is data, as lseek(2) allows.
    if settings.flags.contains(.writebackCache) { throw .host(.notImplemented) }
    let request = try message { () throws(MessageError) in try LseekRequest(&reader) }
    // The client keeps positions itself: only SEEK_DATA and SEEK_HOLE need the file.
    guard request.whence == 3 || request.whence == 4 else { throw .host(.invalid) }
    let file = try file(header.node, forWriting: false)
    let offset = try host { () throws(Errno) in
      try FileCalls.seek(file.raw, request.offset, whence: request.whence)
    }
    try message { () throws(MessageError) in try reply.append(offset) }
  }

  func copyFileRange(
    _ header: RequestHeader, _ reader: inout RequestReader, _ reply: inout ReplyWriter
  ) throws(Failure) {
    let request = try message { () throws(MessageError) in try CopyFileRangeRequest(&reader) }
    guard request.flags == 0 else { throw .host(.invalid) }
    // The target first: if both are one file, it is copied up before it is read.
    let target = try file(request.nodeOut, forWriting: true)
    let source = try file(header.node, forWriting: false)
    let node = try node(request.nodeOut)
    let copied = try host { () throws(Errno) in
      let count = min(request.count, Self.copyLimit)
      return try tree.withRoom(
        node, target, offset: request.offsetOut, count: count, killPrivileges: killsPrivileges(header)
      ) { () throws(Errno) in
        try FileCalls.copyRange(source.raw, request.offsetIn, to: target.raw, request.offsetOut, count: count)
      }
    }
    resized(request.nodeOut, target)
    announcements.changed(request.nodeOut)
    try message { () throws(MessageError) in
      try reply.append(UInt32(copied))
      try reply.append(UInt32(0))
    }
  }
}
