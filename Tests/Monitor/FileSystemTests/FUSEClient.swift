import FUSE
import FileSystem
import GuestMemory
import Host
import VirtioTesting

/// Plays the guest's kernel: encodes requests into guest memory, has them served, and decodes the replies.
///
/// Paths are walked by LOOKUP, one name at a time; what is looked up is given back when the client goes.
final class FUSEClient {
  let server: FileSystemServer
  private let memory = FakeGuestMemory(size: 4 << 20)
  private var unique: UInt64 = 0
  var uid: UInt32 = 0
  var gid: UInt32 = 0

  /// What the server agreed to.
  private(set) var flags: InitFlags = []
  /// Whether the server wants to hear of opens; found out by the first one.
  private(set) var tellsOfOpens = true

  /// What Linux 6.1 offers; 6.12 has a few more bits above.
  static let linux = InitFlags(rawValue: 0x1_7bff_ffff)
  /// A client that asks for each open.
  static let withOpens = linux.subtracting([.noOpen, .noOpendir])

  /// - Parameter offering: without `.noOpen`, the server hears of each open and its end.
  init(_ server: FileSystemServer, offering: InitFlags = FUSEClient.linux, minor: UInt32 = 36) {
    self.server = server
    var message = Bytes()
    for value in [7, minor, 1 << 20, UInt32(truncatingIfNeeded: offering.rawValue), UInt32(offering.rawValue >> 32)] {
      message.put(value)
    }
    for _ in 0..<11 { message.put(UInt32(0)) }
    let reply = call(.initialize, 0, message.bytes)
    precondition(reply.error == 0)
    flags = InitFlags(rawValue: UInt64(reply.load(UInt32.self, at: 12)) | UInt64(reply.load(UInt32.self, at: 32)) << 32)
  }

  /// Goes on with a server that is what another client's was.
  init(_ server: FileSystemServer, after other: FUSEClient) {
    self.server = server
    flags = other.flags
    tellsOfOpens = other.tellsOfOpens
  }

  struct Reply {
    /// A positive errno, or 0.
    var error: Int32
    var bytes: [UInt8]

    func load<T: FixedWidthInteger>(_ type: T.Type = T.self, at offset: Int) -> T {
      var value: T = 0
      for index in 0..<MemoryLayout<T>.size { value |= T(bytes[offset + index]) << T(index * 8) }
      return value
    }
  }

  struct Bytes {
    var bytes: [UInt8] = []

    mutating func put<T: FixedWidthInteger>(_ value: T) {
      for index in 0..<MemoryLayout<T>.size { bytes.append(UInt8(truncatingIfNeeded: value >> T(index * 8))) }
    }

    mutating func put(_ name: String) { bytes += [UInt8](name.utf8) + [0] }
  }

  struct Attributes: Equatable {
    var inode: UInt64
    var length: UInt64
    var modified: Int64
    var modifiedNanoseconds: UInt32
    var changed: FileTime
    var mode: UInt32
    var links: UInt32
    var uid: UInt32
    var gid: UInt32
    var device: UInt32

    init(_ reply: Reply, at offset: Int) {
      inode = reply.load(at: offset)
      length = reply.load(at: offset + 8)
      modified = reply.load(at: offset + 32)
      modifiedNanoseconds = reply.load(at: offset + 52)
      changed = FileTime(seconds: reply.load(at: offset + 40), nanoseconds: reply.load(at: offset + 56))
      mode = reply.load(at: offset + 60)
      links = reply.load(at: offset + 64)
      uid = reply.load(at: offset + 68)
      gid = reply.load(at: offset + 72)
      device = reply.load(at: offset + 76)
    }

    var permissions: UInt32 { mode & 0o7777 }
    var type: UInt32 { mode & FileType.mask }
  }

  struct Entry: Equatable {
    var node: UInt64
    var attributes: Attributes
  }

  // MARK: Raw

  /// Sends one request and waits for its reply.
  @discardableResult
  func call(_ opcode: Opcode, _ node: UInt64, _ arguments: [UInt8], room: Int = 1 << 18) -> Reply {
    send(message(opcode, node, arguments), room: room)
  }

  /// A request as it lies in memory.
  func message(_ opcode: Opcode, _ node: UInt64, _ arguments: [UInt8]) -> [UInt8] {
    unique += 1
    var message = Bytes()
    message.put(UInt32(40 + arguments.count))
    message.put(opcode.rawValue)
    message.put(unique)
    message.put(node)
    for id in [uid, gid, 1] { message.put(id) }
    message.put(UInt32(0))
    return message.bytes + arguments
  }

  /// Writes over the request that is being served.
  func rewrite(_ bytes: [UInt8]) { try! memory.write(bytes, at: 0) }

  /// Sends bytes as they are, cut into pieces as a guest's pages would be.
  func send(_ bytes: [UInt8], room: Int = 1 << 18) -> Reply {
    try! memory.write(bytes, at: 0)
    var readable: [GuestSlice] = []
    var at = 0
    while at < bytes.count {
      let count = min(at == 0 ? 40 : 1000, bytes.count - at)
      readable.append(try! memory.slice(at: UInt64(at), count: count))
      at += count
    }
    let base: UInt64 = 2 << 20
    let head = min(16, room)
    let writable = [
      try! memory.slice(at: base, count: head), try! memory.slice(at: base + UInt64(head), count: room - head),
    ]
    let length = Int(server.serve(readable: readable, writable: writable))
    precondition(length <= room)
    if length == 0 { return Reply(error: 0, bytes: []) }
    let reply = try! memory.read(count: length, at: base)
    let whole = Reply(error: 0, bytes: reply)
    precondition(length >= 16 && Int(whole.load(UInt32.self, at: 0)) == length)
    return Reply(error: -whole.load(Int32.self, at: 4), bytes: Array(reply.dropFirst(16)))
  }

  private func ask(_ opcode: Opcode, _ node: UInt64, _ arguments: [UInt8] = []) throws -> Reply {
    let reply = call(opcode, node, arguments)
    if reply.error != 0 { throw Errno(reply.error) }
    return reply
  }

  /// Arguments of a request, one after the other.
  private func pack(_ parts: any Packable...) -> [UInt8] {
    parts.flatMap(\.packed)
  }

  // MARK: Names

  func lookUp(_ parent: UInt64, _ name: String) throws -> Entry {
    let reply = try ask(.lookup, parent, pack(name))
    let node: UInt64 = reply.load(at: 0)
    if node == 0 { throw Errno.notFound }
    return Entry(node: node, attributes: Attributes(reply, at: 40))
  }

  func forget(_ node: UInt64, _ lookups: UInt64 = 1) { call(.forget, node, pack(lookups)) }

  /// The node of a path.
  func node(_ path: String) throws -> UInt64 {
    var node: UInt64 = 1
    for name in path.split(separator: "/") { node = try lookUp(node, String(name)).node }
    return node
  }

  /// The node of a path's directory, and its last name.
  private func split(_ path: String) throws -> (UInt64, String) {
    let names = path.split(separator: "/").map(String.init)
    return (try node(names.dropLast().joined(separator: "/")), names.last ?? "")
  }

  func attributes(_ path: String) throws -> Attributes { try attributes(of: try node(path)) }

  func attributes(of node: UInt64) throws -> Attributes {
    Attributes(try ask(.getattr, node, [UInt8](repeating: 0, count: 16)), at: 16)
  }

  func exists(_ path: String) -> Bool { (try? node(path)) != nil }

  @discardableResult
  func mkdir(_ path: String, _ mode: UInt32 = 0o755) throws -> Entry {
    let (parent, name) = try split(path)
    let reply = try ask(.mkdir, parent, pack(mode, UInt32(0), name))
    return Entry(node: reply.load(at: 0), attributes: Attributes(reply, at: 40))
  }

  @discardableResult
  func mknod(_ path: String, _ mode: UInt32, device: UInt32 = 0) throws -> Entry {
    let (parent, name) = try split(path)
    let reply = try ask(
      .mknod, parent, pack(mode, device, UInt32(0), UInt32(0), name))
    return Entry(node: reply.load(at: 0), attributes: Attributes(reply, at: 40))
  }

  @discardableResult
  func symlink(_ path: String, to target: String) throws -> Entry {
    let (parent, name) = try split(path)
    let reply = try ask(.symlink, parent, pack(name, target))
    return Entry(node: reply.load(at: 0), attributes: Attributes(reply, at: 40))
  }

  func readlink(_ path: String) throws -> String {
    String(decoding: try ask(.readlink, try node(path)).bytes, as: UTF8.self)
  }

  @discardableResult
  func link(_ old: String, _ new: String) throws -> Entry {
    let (parent, name) = try split(new)
    let node = try node(old)
    let reply = try ask(.link, parent, pack(node, name))
    return Entry(node: reply.load(at: 0), attributes: Attributes(reply, at: 40))
  }

  func unlink(_ path: String) throws {
    let (parent, name) = try split(path)
    _ = try ask(.unlink, parent, pack(name))
  }

  func rmdir(_ path: String) throws {
    let (parent, name) = try split(path)
    _ = try ask(.rmdir, parent, pack(name))
  }

  func rename(_ old: String, _ new: String, flags: UInt32 = 0) throws {
    let (oldParent, oldName) = try split(old)
    let (newParent, newName) = try split(new)
    _ = try ask(
      .rename2, oldParent,
      pack(newParent, flags, UInt32(0), oldName, newName))
  }

  // MARK: Files

  /// As Linux does: a server that knows no OPEN is not asked again, and is told to truncate.
  func open(_ node: UInt64, _ flags: UInt32 = 0) throws -> UInt64 {
    if tellsOfOpens {
      do {
        return try ask(.open, node, pack(flags, UInt32(0))).load(at: 0)
      } catch let error as Errno where error == .notImplemented {
        precondition(self.flags.contains(.noOpen))
        tellsOfOpens = false
      }
    }
    if flags & 0o1000 != 0 { try set(node: node, size: 0) }
    return 0
  }

  /// CREATE; the handle stays open.
  func create(_ path: String, _ mode: UInt32 = 0o644, flags: UInt32 = 2) throws -> (entry: Entry, handle: UInt64) {
    let (parent, name) = try split(path)
    let reply = try ask(.create, parent, pack(flags, mode, UInt32(0), UInt32(0), name))
    return (Entry(node: reply.load(at: 0), attributes: Attributes(reply, at: 40)), reply.load(at: 128))
  }

  func read(_ node: UInt64, _ handle: UInt64, _ offset: UInt64 = 0, _ count: UInt32 = 1 << 16) throws -> [UInt8] {
    try ask(
      .read, node,
      pack(handle, offset, count, UInt32(0), UInt64(0), UInt64(0))
    ).bytes
  }

  @discardableResult
  func write(_ node: UInt64, _ handle: UInt64, _ offset: UInt64, _ data: [UInt8], flags: UInt32 = 0) throws -> UInt32 {
    try ask(
      .write, node,
      pack(handle, offset, UInt32(data.count), flags, UInt64(0), UInt64(0), data)
    ).load(at: 0)
  }

  func release(_ node: UInt64, _ handle: UInt64) {
    if tellsOfOpens { call(.release, node, pack(handle, UInt64(0), UInt64(0))) }
  }

  func contents(_ path: String) throws -> String {
    let node = try node(path)
    let handle = try open(node)
    defer { release(node, handle) }
    return String(decoding: try read(node, handle), as: UTF8.self)
  }

  /// Makes a file, or replaces what is in it.
  func put(_ path: String, _ text: String) throws {
    let node: UInt64
    let handle: UInt64
    if exists(path) {
      node = try self.node(path)
      handle = try open(node, 2 | 0o1000)
    } else {
      let made = try create(path)
      (node, handle) = (made.entry.node, made.handle)
    }
    try write(node, handle, 0, Array(text.utf8))
    release(node, handle)
  }

  // MARK: Directories

  struct Name: Equatable {
    var name: String
    var inode: UInt64
    var type: UInt32
    /// 0 where READDIR was used.
    var node: UInt64
  }

  /// All names but `.` and `..`, through READDIR or READDIRPLUS and as small a buffer as asked for.
  func list(_ path: String, isPlus: Bool = true, size: UInt32 = 4096) throws -> [Name] {
    let node = try node(path)
    let handle: UInt64 = flags.contains(.noOpendir) ? 0 : try ask(.opendir, node, pack(UInt64(0))).load(at: 0)
    defer { if !flags.contains(.noOpendir) { call(.releasedir, node, pack(handle, UInt64(0), UInt64(0))) } }
    var names: [Name] = []
    var offset: UInt64 = 0
    while true {
      let reply = try ask(
        isPlus ? .readdirplus : .readdir, node,
        pack(handle, offset, size, UInt32(0), UInt64(0), UInt64(0)))
      if reply.bytes.isEmpty { return names }
      precondition(reply.bytes.count <= Int(size))
      var at = 0
      while at < reply.bytes.count {
        let entry = at + (isPlus ? 128 : 0)
        let length: UInt32 = reply.load(at: entry + 16)
        let name = String(decoding: reply.bytes[(entry + 24)..<(entry + 24 + Int(length))], as: UTF8.self)
        offset = reply.load(at: entry + 8)
        if name != ".", name != ".." {
          names.append(
            Name(
              name: name, inode: reply.load(at: entry), type: reply.load(at: entry + 20),
              node: isPlus ? reply.load(at: at) : 0))
        }
        at = (entry + 24 + Int(length) + 7) & ~7
      }
    }
  }

  func names(_ path: String) throws -> [String] { try list(path).map(\.name).sorted() }

  // MARK: Attributes

  /// SETATTR with what is given.
  @discardableResult
  func set(
    _ path: String, mode: UInt32? = nil, uid: UInt32? = nil, gid: UInt32? = nil, size: UInt64? = nil,
    accessed: Int64? = nil, modified: Int64? = nil, killPrivileges: Bool = false
  ) throws -> Attributes {
    try set(
      node: try node(path), mode: mode, uid: uid, gid: gid, size: size, accessed: accessed, modified: modified,
      killPrivileges: killPrivileges)
  }

  @discardableResult
  func set(
    node: UInt64, mode: UInt32? = nil, uid: UInt32? = nil, gid: UInt32? = nil, size: UInt64? = nil,
    accessed: Int64? = nil, modified: Int64? = nil, killPrivileges: Bool = false
  ) throws -> Attributes {
    var valid: UInt32 = 0
    if mode != nil { valid |= 1 }
    if uid != nil { valid |= 2 }
    if gid != nil { valid |= 4 }
    if size != nil { valid |= 8 }
    if accessed != nil { valid |= 16 }
    if modified != nil { valid |= 32 }
    if killPrivileges { valid |= 0x800 }
    let arguments = pack(
      valid, UInt32(0), UInt64(0), size ?? 0, UInt64(0), accessed ?? 0, modified ?? 0, Int64(0), UInt32(0), UInt32(0),
      UInt32(0), UInt32(mode ?? 0), UInt32(0), UInt32(uid ?? 0), UInt32(gid ?? 0), UInt32(0))
    return Attributes(try ask(.setattr, node, arguments), at: 16)
  }

  func setxattr(_ path: String, _ name: String, _ value: String, flags: UInt32 = 0) throws {
    _ = try ask(
      .setxattr, try node(path),
      self.flags.contains(.setxattrExtended)
        ? pack(UInt32(value.utf8.count), flags, UInt64(0), name, Array(value.utf8))
        : pack(UInt32(value.utf8.count), flags, name, Array(value.utf8)))
  }

  func getxattr(_ path: String, _ name: String) throws -> String {
    let reply = try ask(.getxattr, try node(path), pack(UInt32(1000), UInt32(0), name))
    return String(decoding: reply.bytes, as: UTF8.self)
  }

  func listxattr(_ path: String) throws -> [String] {
    let reply = try ask(.listxattr, try node(path), pack(UInt32(1000), UInt32(0)))
    return reply.bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }.sorted()
  }

  func removexattr(_ path: String, _ name: String) throws {
    _ = try ask(.removexattr, try node(path), pack(name))
  }
}

/// What a request is made of: little-endian integers, NUL-terminated names, bytes.
private protocol Packable {
  var packed: [UInt8] { get }
}

extension FixedWidthInteger where Self: Packable {
  var packed: [UInt8] {
    (0..<MemoryLayout<Self>.size).map { UInt8(truncatingIfNeeded: self >> Self($0 * 8)) }
  }
}

extension UInt32: Packable {}
extension UInt64: Packable {}
extension Int64: Packable {}

extension String: Packable {
  fileprivate var packed: [UInt8] { [UInt8](utf8) + [0] }
}

extension [UInt8]: Packable {
  fileprivate var packed: [UInt8] { self }
}
