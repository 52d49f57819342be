import FUSE
import Host

/// Opening files. The guest's opens are not kept: what it reads and writes is found by node.
extension LayeredTree {
  /// A regular file, open for reading or for writing as well. No lock is held.
  ///
  /// A file to be written is copied up first, and from then on read from its copy, also by who opened it before: to the guest
  /// it is the same file.
  func file(of node: Node, forWriting: Bool) throws(Errno) -> SharedDescriptor {
    if let open = files.find(node, forWriting: forWriting) { return open }
    if node.isDirectory { throw .isDirectory }
    // The guest's kernel serves FIFOs, sockets and devices itself; nothing of that kind is opened here.
    guard node.isRegular else { throw .noSuchDevice }
    if forWriting { try copyUp(node) }
    let file = try namespace.withReadLock { () throws(Errno) -> SharedDescriptor in
      let place = try self.place(of: node)
      let file = try open(node, place, forWriting: forWriting)
      if forWriting {
        try withSeal(node) { () throws(Errno) in
          // Those that are real the host's kernel drops with each write.
          let whole = Place(base: file, name: FileCalls.itself)
          if !keepsRealCapabilities(node.writeLayer) || FileCalls.isSealed(file.raw, whole.name.span),
            dropCapabilities(whole)
          {
            node.maySeal()
          }
        }
      }
      // With the lock held, so that a copy-up cannot come between.
      files.add(node, file, isWritable: forWriting)
      return file
    }
    reachByOpenFile(node)
    return file
  }

  /// A removed file that is reached by the descriptor of what the guest has open of it, and by none of its own, has another of those
  /// now: the one before would be its own, and count for nothing.
  private func reachByOpenFile(_ node: Node) {
    let isReplaced = { node.isRemoved && node.anonymous != nil && !self.nodes.hasPin(node) }
    guard namespace.withReadLock(isReplaced) else { return }
    namespace.withWriteLock {
      if isReplaced(), let held = files.held(node) { node.anonymous = held }
    }
  }

  /// SETUPMAPPING: shows a piece of a file in the guest's window. No lock is held.
  func map(_ node: Node, _ request: SetupMappingRequest) throws(Errno) {
    guard let mapped else { throw .notImplemented }
    _ = try file(of: node, forWriting: request.isWritable)
    try namespace.withReadLock { () throws(Errno) in
      // Again, as it is now: since it was opened it may have been copied up.
      var open = files.find(node, forWriting: request.isWritable)
      if open == nil { open = try openAgain(node, isWritable: request.isWritable) }
      try mapped.map(
        node, open!, fileOffset: request.fileOffset, count: request.count, isWritable: request.isWritable,
        at: request.windowOffset)
    }
  }

  private func openAgain(_ node: Node, isWritable: Bool) throws(Errno) -> SharedDescriptor {
    if isWritable, !node.isUpper { throw .stale }
    return try open(node, try place(of: node), forWriting: isWritable)
  }

  private func open(_ node: Node, _ place: Place, forWriting: Bool) throws(Errno) -> SharedDescriptor {
    let identity = node.anonymous == nil ? node.identity : nil
    guard forWriting else { return SharedDescriptor(try openFile(place, OpenFlags.read, identity)) }
    do throws(Errno) {
      return SharedDescriptor(try openFile(place, OpenFlags.readWrite, identity))
    } catch {
      guard error == .notPermitted else { throw error }
      return SharedDescriptor(try openFile(place, OpenFlags.readAppend, identity), appendsOnly: true)
    }
  }

  /// OPEN, from a client that tells of its opens. No lock is held.
  ///
  /// - Parameter flags: O_* of the guest.
  func open(_ node: Node, flags: UInt32, killPrivileges: Bool) throws(Errno) {
    if node.isDirectory { throw .isDirectory }
    guard node.isRegular else { throw .noSuchDevice }
    try files.checkRoom()
    let flags = Int32(bitPattern: flags)
    let truncates = flags & OpenFlags.truncate != 0
    let writes = flags & OpenFlags.accessMode != 0 || truncates
    if truncates { try copyUp(node, withData: false) }
    let file = try self.file(of: node, forWriting: writes)
    if file.appendsOnly, writes, flags & OpenFlags.append == 0 { throw .notPermitted }
    if truncates {
      try withRoom(node, file, count: 0, killPrivileges: killPrivileges) { () throws(Errno) in
        try FileCalls.truncate(file.raw, to: 0)
      }
      mapped?.resized(node, file)
    }
    files.hold(node)
  }

  /// RELEASE. No lock is held.
  func release(_ node: Node) {
    // A removed file that has no descriptor but this one cannot be reached any more.
    let isUnreachable = { node.isRemoved && node.anonymous != nil && !self.nodes.hasPin(node) }
    guard files.release(node), namespace.withReadLock(isUnreachable) else { return }
    namespace.withWriteLock {
      guard isUnreachable(), files.held(node) == nil else { return }
      node.anonymous = nil
      nodes.discard(node)
    }
  }
}
