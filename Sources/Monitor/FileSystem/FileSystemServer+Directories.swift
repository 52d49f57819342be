import FUSE
import Host

/// Requests about open directories.
extension FileSystemServer {
  func opendir(_ header: RequestHeader, _ reply: inout ReplyWriter) throws(Failure) {
    let node = try node(header.node)
    guard node.isDirectory else { throw .host(.notDirectory) }
    let flags: OpenReply.Flags = node.caching == .always ? [.keepCache, .cacheDirectory] : []
    try message { () throws(MessageError) in try OpenReply(handle: 0, flags: flags).write(to: &reply) }
  }

  func readdir(
    _ header: RequestHeader, _ reader: inout RequestReader, _ reply: inout ReplyWriter, isPlus: Bool
  ) throws(Failure) {
    let request = try message { () throws(MessageError) in try ReadRequest(&reader) }
    let node = try node(header.node)
    guard node.isDirectory else { throw .host(.notDirectory) }
    let listing = try host { () throws(Errno) in try tree.listings.listing(node, at: request.offset, in: tree) }
    var failure: MessageError?
    // The closure below must not hold on to parameters.
    var output = reply
    try host { () throws(Errno) in
      try listing.read(from: request.offset) { (cursor: inout Listing.Cursor) throws(Errno) in
        var writer = DirectoryWriter(count: request.count, isPlus: isPlus, reply: output)
        var position = request.offset
        while let entry = try cursor.next() {
          guard writer.fits(nameLength: entry.name.count - 1) else { return cursor.putBack(entry, at: position) }
          position = entry.next
          do throws(MessageError) {
            try append(entry, node, isPlus: isPlus, &writer, &output)
          } catch {
            failure = error
            return
          }
        }
      }
    }
    if let failure { throw .message(failure) }
    if output.count == 0 { tree.listings.drop(node) }
    reply = output
  }

  private func append(
    _ entry: Listing.Entry, _ directory: Node, isPlus: Bool, _ writer: inout DirectoryWriter,
    _ reply: inout ReplyWriter
  ) throws(MessageError) {
    let name = entry.name.span.extracting(droppingLast: 1)
    var (inode, type) = (entry.hostInode, entry.type)
    var node: Node?
    var found: EntryReply?
    var status = FileStatus()
    if DirectoryReader.isDot(entry.name.span) {
      inode = entry.name.count == 2 ? directory.inode : (directory.parent ?? directory).inode
    } else if isPlus {
      // A name that went since the listing was made is left out; one that cannot be asked is listed without attributes.
      do throws(Errno) {
        guard let known = try tree.lookUp(directory, entry.name.span, keeping: entry.name, &status) else { return }
        node = known
        found = entryReply(known, status)
        (inode, type) = (known.inode, known.listedType)
      } catch {}
    } else {
      guard let listed = tree.listed(directory, entry) else { return }
      (inode, type) = listed
    }
    do throws(MessageError) {
      _ = try writer.append(
        name: name, inode: inode, type: UInt32(type), next: entry.next, entry: found, to: &reply)
    } catch {
      if let node { tree.nodes.forget(node.id, 1) }
      throw error
    }
  }

  func fsyncDirectory(_ header: RequestHeader) throws(Failure) {
    let node = try node(header.node)
    try host { () throws(Errno) in try tree.syncDirectory(node) }
  }
}
