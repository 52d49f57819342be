import AgentProtocol
import CGuest

/// `send FLAG PATH`: writes a file, or a directory with all that is in it, as records to standard output.
///
/// The first record's path is PATH's last name; it is empty where that ends in `/.` or is `/`: then the transfer is of what is
/// in the directory.
struct FileSender {
  private let source: Bytes
  private let followsLink: Bool

  /// Where what is sent begins in the paths of files.
  private let prefix: Int

  init(_ path: Bytes, followsLink: Bool) throws(BuiltIn.Trouble) {
    var source = path
    var isContent = false
    while let last = source.last {
      if last == UInt8(ascii: "/") {
        source.removeLast()
      } else if source.suffix(2) == Bytes("/.")[...] || source == "." {
        source.removeLast()
        isContent = true
      } else {
        break
      }
    }
    self.source = source.isEmpty ? "/" : source
    // What ends in a slash is a directory, whatever links lead there.
    self.followsLink = followsLink || path.last == UInt8(ascii: "/") || isContent
    let name = (source.lastIndex(of: UInt8(ascii: "/")) ?? -1) + 1
    guard source[name...] != Bytes("..")[...] else {
      throw BuiltIn.Trouble(text: path + ": give the name of a directory, or of one with /. behind it")
    }
    prefix = source.isEmpty || isContent ? source.count + 1 : name
  }

  func run() throws(BuiltIn.Trouble) {
    // The last is next: a directory goes before what is in it.
    var pending: [(path: Bytes, follows: Bool)] = [(source, followsLink)]
    while let next = pending.popLast() {
      var status = stat()
      let result = unsafe next.path.withCString {
        unsafe next.follows ? stat($0, &status) : lstat($0, &status)
      }
      guard result == 0 else {
        // What was removed since its directory was read was never there.
        if SystemError.last == .noEntry, next.path != source { continue }
        throw BuiltIn.Trouble(next.path, .last)
      }
      guard var record = Self.record(status) else {
        StandardStreams.complain(next.path + ": a socket is left out")
        continue
      }
      record.path = Bytes(next.path.dropFirst(prefix))
      switch record.kind {
      case .directory:
        try Self.send(record, next.path)
        let base = next.path == "/" ? next.path : next.path + "/"
        for name in try Self.names(next.path) { pending.append((base + name, false)) }
      case .file:
        try Self.sendFile(record, next.path, follows: next.follows)
      case .symlink:
        guard let target = Files.linkTarget(next.path) else { continue }
        record.target = target
        try Self.send(record, next.path)
      default:
        try Self.send(record, next.path)
      }
    }
    try Self.send(FileRecord(.end), source)
  }

  /// nil for a socket, which is nothing without the process behind it.
  private static func record(_ status: stat) -> FileRecord? {
    let kind: FileRecord.Kind
    switch status.st_mode & UInt32(S_IFMT) {
    case UInt32(S_IFDIR): kind = .directory
    case UInt32(S_IFREG): kind = .file
    case UInt32(S_IFLNK): kind = .symlink
    case UInt32(S_IFIFO): kind = .fifo
    case UInt32(S_IFCHR): kind = .characterDevice
    case UInt32(S_IFBLK): kind = .blockDevice
    default: return nil
    }
    var record = FileRecord(kind, mode: status.st_mode & 0o7777)
    record.uid = status.st_uid
    record.gid = status.st_gid
    record.seconds = Int64(status.st_mtim.tv_sec)
    record.nanoseconds = UInt32(clamping: status.st_mtim.tv_nsec)
    if kind == .characterDevice || kind == .blockDevice {
      record.major = cguest_major(UInt64(status.st_rdev))
      record.minor = cguest_minor(UInt64(status.st_rdev))
    }
    if kind == .file { record.size = UInt64(max(0, status.st_size)) }
    return record
  }

  private static func send(_ record: FileRecord, _ path: Bytes) throws(BuiltIn.Trouble) {
    var bytes: Bytes = []
    do throws(FrameError) { try record.encode(into: &bytes) } catch {
      throw BuiltIn.Trouble(text: path + ": its name is too long for a transfer")
    }
    try StandardStreams.write(bytes)
  }

  private static func sendFile(_ record: FileRecord, _ path: Bytes, follows: Bool) throws(BuiltIn.Trouble) {
    var record = record
    let file = try attempt(path) { () throws(SystemError) in
      // Looked at before it is opened: it may be something else by now.
      let place = try Descriptor.open(path, cguest_O_PATH | (follows ? 0 : O_NOFOLLOW))
      guard Self.record(try Files.status(place))?.kind == .file else { throw SystemError(ESTALE) }
      return try Descriptor.open("/proc/self/fd/" + Bytes(decimal: Int(place.number)), O_RDONLY | O_NONBLOCK)
    }
    if record.size == 0 {
      // The kernel's own files do not say how much there is in them.
      var content: Bytes = []
      try read(file, path, into: &content, limit: 1 << 20)
      record.size = UInt64(content.count)
      try send(record, path)
      return try StandardStreams.write(content)
    }
    try send(record, path)
    var rest = record.size
    var chunk: Bytes = []
    while rest > 0 {
      chunk.removeAll(keepingCapacity: true)
      try read(file, path, into: &chunk, limit: Int(min(rest, UInt64(Descriptor.readLimit))))
      // One that has become shorter is filled up: what it was to have is told already.
      if chunk.isEmpty { chunk = Bytes(repeating: 0, count: Int(min(rest, UInt64(Descriptor.readLimit)))) }
      rest -= UInt64(chunk.count)
      try StandardStreams.write(chunk)
    }
  }

  /// Reads until there are `limit` bytes, or the file ends.
  private static func read(
    _ file: borrowing Descriptor, _ path: Bytes, into bytes: inout Bytes, limit: Int
  ) throws(BuiltIn.Trouble) {
    do throws(SystemError) {
      while bytes.count < limit {
        guard try file.read(into: &bytes, limit: limit - bytes.count) > 0 else { return }
      }
    } catch {
      throw BuiltIn.Trouble(path, error)
    }
  }

  private static func attempt(
    _ path: Bytes, _ body: () throws(SystemError) -> Descriptor
  ) throws(BuiltIn.Trouble) -> Descriptor {
    do throws(SystemError) { return try body() } catch { throw BuiltIn.Trouble(path, error) }
  }

  /// The names in a directory, sorted, the last one first. By a heap: the library's sort is 4 KB of this program.
  private static func names(_ path: Bytes) throws(BuiltIn.Trouble) -> [Bytes] {
    var names: [Bytes]
    do throws(SystemError) { names = try Files.names(path) } catch { throw BuiltIn.Trouble(path, error) }
    for root in (0..<names.count / 2).reversed() { sift(&names, root, names.count) }
    for end in (0..<names.count).reversed() {
      names.swapAt(0, end)
      sift(&names, 0, end)
    }
    return names
  }

  /// Has a name sink to where none below it, before `end`, precedes it.
  private static func sift(_ names: inout [Bytes], _ root: Int, _ end: Int) {
    var root = root
    while 2 * root + 1 < end {
      var child = 2 * root + 1
      if child + 1 < end, names[child + 1].lexicographicallyPrecedes(names[child]) { child += 1 }
      guard names[child].lexicographicallyPrecedes(names[root]) else { return }
      names.swapAt(child, root)
      root = child
    }
  }
}
