internal import Devices
internal import FUSE
package import GuestMemory

/// The server of a tree that is in memory, for reading: nothing changes, so whoever asks may keep every answer.
package final class TreeServer: FileSystemBackend {
  private let tree: ArchiveTree

  private static let maximumPages: UInt16 = 256
  private static let forever = Validity(seconds: 1 << 30)
  private static let blockSize: UInt64 = 4096

  /// Linux's error numbers.
  private enum Errno: Int32, Error {
    case noEntry = 2
    case exists = 17
    case notDirectory = 20
    case isDirectory = 21
    case invalid = 22
    case readOnly = 30
    case nameTooLong = 36
    case noSystemCall = 38
    case protocolError = 71
    case stale = 116
  }

  package init(_ tree: ArchiveTree) { self.tree = tree }

  /// It keeps nothing of its client.
  package func disconnected() {}

  package func serve(readable: [GuestSlice], writable: [GuestSlice]) -> UInt32 {
    var reader = RequestReader(readable)
    guard let header = try? RequestHeader(&reader) else { return 0 }
    var reply = ReplyWriter(writable)
    do throws(Errno) {
      guard let opcode = Opcode(rawValue: header.opcode) else { throw .noSystemCall }
      switch opcode {
      // Nobody wants an answer to these.
      case .forget, .batchForget, .interrupt: return 0
      default: try answer(opcode, header, &reader, &reply)
      }
      return reply.finish(unique: header.unique)
    } catch {
      return reply.fail(error.rawValue, unique: header.unique)
    }
  }

  private func answer(
    _ opcode: Opcode, _ header: RequestHeader, _ reader: inout RequestReader, _ reply: inout ReplyWriter
  ) throws(Errno) {
    switch opcode {
    case .initialize: try initialize(&reader, &reply)
    case .destroy, .release, .releasedir, .flush, .fsync, .fsyncdir, .syncfs: break
    case .lookup: try lookup(header, &reader, &reply)
    case .getattr:
      let answer = AttributesReply(attributes: attributes(try number(header.node)), validity: Self.forever)
      try message { () throws(MessageError) in try answer.write(to: &reply) }
    case .readlink: try readLink(header, &reply)
    case .open, .opendir: try open(header, isDirectory: opcode == .opendir, &reader, &reply)
    case .read: try read(header, &reader, &reply)
    case .readdir, .readdirplus: try list(header, isPlus: opcode == .readdirplus, &reader, &reply)
    case .statfs: try count(&reply)
    case .setattr, .symlink, .mknod, .mkdir, .unlink, .rmdir, .rename, .rename2, .link, .write, .setxattr, .removexattr,
      .create, .tmpfile, .fallocate, .copyFileRange:
      throw .readOnly
    default: throw .noSystemCall
    }
  }

  private func message<Result>(_ body: () throws(MessageError) -> Result) throws(Errno) -> Result {
    do throws(MessageError) {
      return try body()
    } catch {
      throw error == .nameTooLong ? .nameTooLong : error == .badName ? .invalid : .protocolError
    }
  }

  /// The number of a node that the client names.
  private func number(_ node: UInt64) throws(Errno) -> ArchiveTree.Number {
    guard node >= FUSE.rootID, node - FUSE.rootID < UInt64(tree.nodes.count) else { throw .stale }
    return Int(node - FUSE.rootID)
  }

  private func node(of number: ArchiveTree.Number) -> UInt64 { UInt64(number) + FUSE.rootID }

  private func initialize(_ reader: inout RequestReader, _ reply: inout ReplyWriter) throws(Errno) {
    let request = try message { () throws(MessageError) in try InitRequest(&reader) }
    var answer = InitReply()
    if request.major == FUSE.majorVersion {
      guard request.minor >= FUSE.oldestMinorVersion else { throw .protocolError }
      let offered: InitFlags = [
        .asyncRead, .parallelDirectoryOperations, .readdirplus, .readdirplusAuto, .maxPages, .cacheSymlinks,
        .initExtended,
      ]
      answer.minor = min(request.minor, FUSE.minorVersion)
      answer.flags = offered.intersection(request.flags)
      answer.maximumReadahead = min(request.maximumReadahead, 1 << 20)
      answer.maximumBackground = 64
      answer.congestionThreshold = 48
      answer.maximumPages = Self.maximumPages
      answer.maximumWrite = UInt32(Self.maximumPages) * UInt32(Self.blockSize)
    }
    try message { () throws(MessageError) in try answer.write(to: &reply) }
  }

  private func attributes(_ number: ArchiveTree.Number) -> Attributes {
    let node = tree.nodes[number]
    var attributes = Attributes()
    attributes.inode = self.node(of: number)
    attributes.mode = node.mode | Self.type(node.kind) << 12
    attributes.links = node.links
    attributes.uid = node.uid
    attributes.gid = node.gid
    let time = Timestamp(seconds: node.modified, nanoseconds: 0)
    (attributes.accessed, attributes.modified, attributes.changed) = (time, time, time)
    attributes.length = UInt64(node.data.count)
    if node.kind == .directory { attributes.length = Self.blockSize }
    attributes.blocks = (attributes.length + 511) / 512
    attributes.blockSize = UInt32(Self.blockSize)
    if node.kind == .character || node.kind == .block {
      attributes.device = Attributes.encodeDevice(major: node.major, minor: node.minor)
    }
    return attributes
  }

  /// As in `d_type` and, shifted, `st_mode`.
  private static func type(_ kind: ArchiveTree.Node.Kind) -> UInt32 {
    switch kind {
    case .pipe: 1
    case .character: 2
    case .directory: 4
    case .block: 6
    case .file: 8
    case .symlink: 10
    }
  }

  private func entry(_ number: ArchiveTree.Number) -> EntryReply {
    EntryReply(
      node: node(of: number), entryValidity: Self.forever, attributeValidity: Self.forever,
      attributes: attributes(number))
  }

  private func lookup(_ header: RequestHeader, _ reader: inout RequestReader, _ reply: inout ReplyWriter) throws(Errno)
  {
    let name = try message { () throws(MessageError) in try reader.name() }
    let directory = try number(header.node)
    guard tree.nodes[directory].kind == .directory else { throw .notDirectory }
    let answer: EntryReply
    if let found = tree.lookup(name.bytes, in: directory) {
      answer = entry(found)
    } else {
      // Nor will there be one.
      answer = EntryReply(
        node: 0, entryValidity: Self.forever, attributeValidity: Self.forever, attributes: Attributes())
    }
    try message { () throws(MessageError) in try answer.write(to: &reply) }
  }

  private func readLink(_ header: RequestHeader, _ reply: inout ReplyWriter) throws(Errno) {
    let node = tree.nodes[try number(header.node)]
    guard node.kind == .symlink else { throw .invalid }
    try message { () throws(MessageError) in
      try tree.archive.withBytes(node.data) { (bytes) throws(MessageError) in try reply.append(bytes) }
    }
  }

  private func open(
    _ header: RequestHeader, isDirectory: Bool, _ reader: inout RequestReader, _ reply: inout ReplyWriter
  ) throws(Errno) {
    let request = try message { () throws(MessageError) in try OpenRequest(&reader) }
    let kind = tree.nodes[try number(header.node)].kind
    guard isDirectory == (kind == .directory) else { throw isDirectory ? .notDirectory : .isDirectory }
    // O_ACCMODE.
    guard request.flags & 3 == 0 else { throw .readOnly }
    let answer = OpenReply(handle: 0, flags: isDirectory ? [.keepCache, .cacheDirectory] : [.keepCache, .noFlush])
    try message { () throws(MessageError) in try answer.write(to: &reply) }
  }

  private func read(_ header: RequestHeader, _ reader: inout RequestReader, _ reply: inout ReplyWriter) throws(Errno) {
    let request = try message { () throws(MessageError) in try ReadRequest(&reader) }
    let node = tree.nodes[try number(header.node)]
    guard node.kind == .file else { throw .invalid }
    guard request.offset < UInt64(node.data.count) else { return }
    let start = node.data.lowerBound + Int(request.offset)
    let end = start + min(Int(request.count), node.data.upperBound - start, max(reply.room, 0))
    try message { () throws(MessageError) in
      try tree.archive.withBytes(start..<end) { (bytes) throws(MessageError) in try reply.append(bytes) }
    }
  }

  private func list(
    _ header: RequestHeader, isPlus: Bool, _ reader: inout RequestReader, _ reply: inout ReplyWriter
  ) throws(Errno) {
    let request = try message { () throws(MessageError) in try ReadRequest(&reader) }
    let number = try number(header.node)
    let node = tree.nodes[number]
    guard node.kind == .directory else { throw .notDirectory }
    var writer = DirectoryWriter(count: request.count, isPlus: isPlus, reply: reply)
    // The directory itself and its parent come first, and are not looked up. Then a place is an entry's number plus 2: of what comes
    // next, or of none.
    let end = UInt64(tree.entries.count) + 2
    func behind(_ entry: Int?) -> UInt64 { entry.map { UInt64($0) + 2 } ?? end }
    var place = request.offset
    while place < end {
      let isDot = place < 2
      let entry = isDot ? nil : tree.entries[Int(place - 2)]
      // The client may name any.
      if let entry, entry.directory != number { throw .invalid }
      let next = place == 0 ? 1 : behind(isDot ? node.first : entry?.next)
      let isAppended = try message { () throws(MessageError) -> Bool in
        guard let entry else {
          let dots: InlineArray<2, UInt8> = [UInt8(ascii: "."), UInt8(ascii: ".")]
          return try writer.append(
            name: dots.span.extracting(first: Int(place) + 1), inode: self.node(of: place == 0 ? number : node.parent),
            type: 4, next: next,
            entry: isPlus
              ? EntryReply(
                node: 0, entryValidity: Self.forever, attributeValidity: Self.forever, attributes: Attributes()) : nil,
            to: &reply)
        }
        return try tree.archive.withBytes(entry.name) { (name) throws(MessageError) in
          try writer.append(
            name: name, inode: self.node(of: entry.node), type: Self.type(tree.nodes[entry.node].kind), next: next,
            entry: isPlus ? self.entry(entry.node) : nil, to: &reply)
        }
      }
      guard isAppended else { return }
      place = next
    }
  }

  private func count(_ reply: inout ReplyWriter) throws(Errno) {
    let blocks = (UInt64(tree.archive.count) + Self.blockSize - 1) / Self.blockSize
    let answer = StatfsReply(
      blocks: blocks, blocksFree: 0, blocksAvailable: 0, files: UInt64(tree.nodes.count), filesFree: 0,
      blockSize: UInt32(Self.blockSize), nameLength: 255, fragmentSize: UInt32(Self.blockSize))
    try message { () throws(MessageError) in try answer.write(to: &reply) }
  }
}
