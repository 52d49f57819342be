import FUSE
import Host

/// Requests about open files.
extension FileSystemServer {
  func open(_ header: RequestHeader, _ reader: inout RequestReader, _ reply: inout ReplyWriter) throws(Failure) {
    let request = try message { () throws(MessageError) in try OpenRequest(&reader) }
    let node = try node(header.node)
    let opened = try host { () throws(Errno) in
      try tree.open(node, flags: request.flags, killPrivileges: request.killPrivileges)
    }
    try answer(node, opened, canWrite: Int32(bitPattern: request.flags) & OpenFlags.accessMode != 0, &reply)
  }

  func create(_ header: RequestHeader, _ reader: inout RequestReader, _ reply: inout ReplyWriter) throws(Failure) {
    let request = try message { () throws(MessageError) in try CreateRequest(&reader) }
    guard let name = request.name else { throw .host(.invalid) }
    let parent = try node(header.node)
    let caller = Caller(uid: header.uid, gid: header.gid)
    let made: (entry: Entry, file: SharedDescriptor?)
    do throws(Errno) {
      made = try tree.make(.file, parent, name, mode: request.mode, by: caller)
    } catch {
      guard error == .exists, Int32(bitPattern: request.flags) & OpenFlags.exclusive == 0 else { throw .host(error) }
      return try openExisting(parent, name, request, &reply)
    }
    try answer(made.entry, LayeredTree.Opened(file: made.file!, isUpper: true), &reply)
  }

  /// What CREATE should make is there, which the guest's kernel did not know yet.
  private func openExisting(
    _ parent: Node, _ name: FileName, _ request: CreateRequest, _ reply: inout ReplyWriter
  ) throws(Failure) {
    guard let entry = try host({ () throws(Errno) in try tree.lookUp(parent, name) }) else { throw .host(.notFound) }
    let opened: LayeredTree.Opened
    let status: FileStatus
    do throws(Errno) {
      opened = try tree.open(entry.node, flags: request.flags, killPrivileges: request.killPrivileges)
      status = try tree.namespace.withReadLock { () throws(Errno) in try tree.status(of: entry.node) }
    } catch {
      tree.nodes.forget(entry.node.id, 1)
      throw .host(error)
    }
    try answer(Entry(node: entry.node, status: status), opened, &reply)
  }

  func temporary(
    _ header: RequestHeader, _ reader: inout RequestReader, _ reply: inout ReplyWriter
  ) throws(Failure) {
    let request = try message { () throws(MessageError) in try CreateRequest(&reader, isTemporary: true) }
    let parent = try node(header.node)
    let made = try host { () throws(Errno) in
      try tree.makeTemporary(parent, mode: request.mode, by: Caller(uid: header.uid, gid: header.gid))
    }
    try answer(made.entry, LayeredTree.Opened(file: made.file, isUpper: true), &reply)
  }

  private func answer(
    _ entry: Entry, _ opened: LayeredTree.Opened, _ reply: inout ReplyWriter
  ) throws(Failure) {
    try write(entry, to: &reply)
    try answer(entry.node, opened, canWrite: true, &reply)
  }

  private func answer(
    _ node: Node, _ opened: LayeredTree.Opened, canWrite: Bool, _ reply: inout ReplyWriter
  ) throws(Failure) {
    let handle = Handle(node: node, file: opened.file, isUpper: opened.isUpper, canWrite: canWrite)
    tree.nodes.hold(node, open: opened.file)
    let number = handles.add(handle)
    do throws(MessageError) {
      try OpenReply(handle: number, flags: [.keepCache, .noFlush, .parallelDirectWrites]).write(to: &reply)
    } catch {
      if let handle = handles.remove(number) { closed(handle) }
      throw .message(error)
    }
  }

  func release(_ reader: inout RequestReader) throws(Failure) {
    let request = try message { () throws(MessageError) in try ReleaseRequest(&reader) }
    guard let handle = handles.remove(request.handle) else { throw .host(.badDescriptor) }
    closed(handle)
  }

  /// To be called once for each handle taken out of the table.
  func closed(_ handle: Handle) {
    tree.nodes.release(handle.node, closed: handle.openFile)
  }

  // MARK: Data

  func read(_ header: RequestHeader, _ reader: inout RequestReader, _ reply: inout ReplyWriter) throws(Failure) {
    let request = try message { () throws(MessageError) in try ReadRequest(&reader) }
    let handle = try handle(request.handle)
    let file = try host { () throws(Errno) in try handle.descriptor(tree) }
    try host { () throws(Errno) in
      try Transfer.read(file, request.offset, Int(request.count), to: &reply)
    }
  }

  func write(_ header: RequestHeader, _ reader: inout RequestReader, _ reply: inout ReplyWriter) throws(Failure) {
    let request = try message { () throws(MessageError) in try WriteRequest(&reader) }
    let handle = try handle(request.handle)
    guard handle.canWrite else { throw .host(.badDescriptor) }
    guard Int(request.count) <= reader.remaining else { throw .message(.truncated) }
    let file = try host { () throws(Errno) in try handle.descriptor(tree) }
    if request.killPrivileges {
      try host { () throws(Errno) in
        try tree.clearPrivileges(LayeredTree.Place(base: file, name: FileCalls.itself))
      }
    } else if tree.ownership == .recorded, handle.takesCapabilities() {
      // As root the host's kernel does it.
      tree.dropCapabilities(LayeredTree.Place(base: file, name: FileCalls.itself))
    }
    let written = try host { () throws(Errno) in
      try Transfer.write(file, request.offset, Int(request.count), from: &reader)
    }
    try message { () throws(MessageError) in
      try reply.append(UInt32(written))
      try reply.append(UInt32(0))
    }
  }

  func fsync(_ header: RequestHeader, _ reader: inout RequestReader) throws(Failure) {
    let request = try message { () throws(MessageError) in try FsyncRequest(&reader) }
    let handle = try handle(request.handle)
    // What lies in a layer below was never written.
    guard tree.namespace.withReadLock({ handle.node.isUpper }) else { return }
    try host { () throws(Errno) in
      try FileCalls.sync(try handle.descriptor(tree).raw, dataOnly: request.dataOnly)
    }
  }

  func fallocate(_ header: RequestHeader, _ reader: inout RequestReader) throws(Failure) {
    let request = try message { () throws(MessageError) in try FallocateRequest(&reader) }
    let handle = try handle(request.handle)
    guard handle.canWrite else { throw .host(.badDescriptor) }
    try host { () throws(Errno) in
      try FileCalls.allocate(
        try handle.descriptor(tree).raw, mode: request.mode, offset: request.offset, count: request.count)
    }
  }

  func lseek(_ header: RequestHeader, _ reader: inout RequestReader, _ reply: inout ReplyWriter) throws(Failure) {
    let request = try message { () throws(MessageError) in try LseekRequest(&reader) }
    let handle = try handle(request.handle)
    // The client keeps positions itself: only SEEK_DATA and SEEK_HOLE need the file.
    guard request.whence == 3 || request.whence == 4 else { throw .host(.invalid) }
    let offset = try host { () throws(Errno) in
      try FileCalls.seek(try handle.descriptor(tree).raw, request.offset, whence: request.whence)
    }
    try message { () throws(MessageError) in try reply.append(offset) }
  }

  func copyFileRange(
    _ header: RequestHeader, _ reader: inout RequestReader, _ reply: inout ReplyWriter
  ) throws(Failure) {
    let request = try message { () throws(MessageError) in try CopyFileRangeRequest(&reader) }
    let (source, target) = (try handle(request.handleIn), try handle(request.handleOut))
    guard target.canWrite, request.flags == 0 else { throw .host(request.flags == 0 ? .badDescriptor : .invalid) }
    let copied = try host { () throws(Errno) in
      try FileCalls.copyRange(
        try source.descriptor(tree).raw, request.offsetIn, to: try target.descriptor(tree).raw, request.offsetOut,
        count: request.count)
    }
    try message { () throws(MessageError) in
      try reply.append(UInt32(copied))
      try reply.append(UInt32(0))
    }
  }
}
