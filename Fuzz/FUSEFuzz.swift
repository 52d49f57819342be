import FUSE
import FileSystem
import Glibc
import GuestMemory

/// Any sequence of requests, well-formed or not, gets replies or none: the server never traps, and files beside its write
/// layer are never touched.
///
/// The input is cut into requests: a byte for the opcode, one for the node, two for the length, then the arguments. One byte
/// in front of all decides how much room replies have. Small numbers stand for the nodes and handles that the server gave
/// out, as it never gives the same twice: the node's byte, and the eight bytes that RENAME and LINK begin with where the fifth
/// of them is 2. Fuzz/record makes such inputs of what a kernel asks.
@c(LLVMFuzzerTestOneInput)
public func testOneInput(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
  let bytes = unsafe [UInt8](UnsafeBufferPointer(start: data, count: size))
  guard bytes.count > 5 else { return 0 }
  let room = bytes[0] == 0 ? 1 << 16 : Int(bytes[0]) * 16
  // A new session, which has agreed on everything.
  Stage.shared.nodes = [1]
  Stage.shared.handles = [1 << 32]
  _ = Stage.shared.send(
    opcode: 26, node: 0, [7, 0, 0, 0, 41, 0, 0, 0, 0, 0, 1, 0, 255, 255, 255, 127], room: 128)
  var at = 1
  while at + 4 <= bytes.count {
    let (opcode, node) = (bytes[at], bytes[at + 1])
    let length = (Int(bytes[at + 2]) | Int(bytes[at + 3]) << 8) % 1024
    at += 4
    let end = min(bytes.count, at + length)
    let known = Stage.shared.nodes
    let id = node < 200 ? known[Int(node) % known.count] : UInt64(node)
    let arguments = Stage.shared.withNodes(UInt32(opcode), Stage.shared.withHandles(Array(bytes[at..<end])))
    _ = Stage.shared.send(opcode: UInt32(opcode), node: id, arguments, room: room)
    at = end
  }
  Stage.shared.checkWitnesses()
  return 0
}

/// A small tree in memory, and guest memory for one request at a time.
final class Stage {
  nonisolated(unsafe) static let shared = Stage()

  private let server: FileSystemServer
  private let memory: GuestMemory
  private let witnesses: [Witness]
  /// What the server gave out in this session.
  var nodes: [UInt64] = [1]
  var handles: [UInt64] = [1 << 32]

  private init() {
    // What a request can make a file grow to.
    signal(SIGXFSZ, SIG_IGN)
    var limit = rlimit(rlim_cur: 1 << 20, rlim_max: 1 << 20)
    unsafe setrlimit(__rlimit_resource_t(1), &limit)
    let base = "/dev/shm/novm-fuse-fuzz-\(getpid())"
    atexit { _ = system("rm -rf /dev/shm/novm-fuse-fuzz-\(getpid())") }
    for directory in ["", "/lower", "/lower/d", "/lower/d/e", "/upper"] { mkdir(base + directory, 0o755) }
    witnesses = [("/secret", "secret"), ("/lower/f", "file"), ("/lower/d/g", "another")].map {
      Witness(base + $0.0, $0.1)
    }
    symlink("../secret", base + "/lower/out")
    mkfifo(base + "/lower/fifo", 0o644)
    let size = 1 << 18
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 4096)
    unsafe bytes.initializeMemory(as: UInt8.self, repeating: 0)
    memory = unsafe GuestMemory(regions: [GuestMemory.Region(base: 0, bytes: bytes)])
    server = FileSystemServer(
      try! LayeredTree(
        reads: [LayerMap(guestPath: "/", hostPath: base + "/lower")],
        writes: [LayerMap(guestPath: "/", hostPath: base + "/upper")]))
  }

  func checkWitnesses() { for witness in witnesses { witness.check() } }

  func send(opcode: UInt32, node: UInt64, _ arguments: [UInt8], room: Int) -> UInt32 {
    var message: [UInt8] = []
    func put(_ value: UInt64, _ count: Int) {
      for index in 0..<count { message.append(UInt8(truncatingIfNeeded: value >> UInt64(index * 8))) }
    }
    put(UInt64(40 + arguments.count), 4)
    put(UInt64(opcode), 4)
    put(1, 8)
    put(node, 8)
    put(0, 16)
    message += arguments
    try! memory.write(message, at: 0)
    let head = try! memory.slice(at: 0, count: 40)
    let rest = try! memory.slice(at: 40, count: message.count - 40)
    let reply = try! memory.slice(at: 1 << 16, count: room)
    let length = server.serve(readable: [head, rest], writable: [reply])
    precondition(Int(length) <= room)
    remember(opcode, reply, Int(length))
    return length
  }

  private func remember(_ opcode: UInt32, _ reply: GuestSlice, _ length: Int) {
    guard let error = try? reply.load(Int32.self, at: 4), error == 0, length >= 32 else { return }
    // LOOKUP, SYMLINK, MKNOD, MKDIR, LINK, CREATE, TMPFILE name a node; OPEN, OPENDIR and two of those a handle.
    if [1, 6, 8, 9, 13, 35, 51].contains(opcode), let node = try? reply.load(UInt64.self, at: 16) {
      nodes.append(node)
    }
    let at = opcode == 14 || opcode == 27 ? 16 : opcode == 35 || opcode == 51 ? 144 : .max
    if at < length, let handle = try? reply.load(UInt64.self, at: at) { handles.append(handle) }
  }

  /// Arguments of RENAME, LINK and RENAME2 that begin with the small number of a node, with the node.
  func withNodes(_ opcode: UInt32, _ arguments: [UInt8]) -> [UInt8] {
    guard [12, 13, 45].contains(opcode), arguments.count >= 8, arguments[4] == 2 else { return arguments }
    let node = nodes[Int(arguments[0]) % nodes.count]
    return (0..<8).map { UInt8(truncatingIfNeeded: node >> UInt64($0 * 8)) } + arguments.dropFirst(8)
  }

  /// Arguments that begin with the small number of a handle, with the handle.
  func withHandles(_ arguments: [UInt8]) -> [UInt8] {
    guard arguments.count >= 8, arguments[5...7].allSatisfy({ $0 == 0 }), arguments[4] == 1 else { return arguments }
    var handle = handles[Int(arguments[0]) % handles.count]
    if arguments[0] == 0 { handle = handles[handles.count - 1] }
    return (0..<8).map { UInt8(truncatingIfNeeded: handle >> UInt64($0 * 8)) } + arguments.dropFirst(8)
  }
}

/// A file that no request may change, replace or remove.
private struct Witness {
  private let path: String
  private let contents: [UInt8]
  private let descriptor: CInt
  private let status: stat

  init(_ path: String, _ text: String) {
    self.path = path
    contents = Array(text.utf8)
    descriptor = open(path, O_RDWR | O_CREAT, 0o644)
    precondition(unsafe write(descriptor, contents, contents.count) == contents.count, "nothing to try it on: \(path)")
    var status = stat()
    unsafe fstat(descriptor, &status)
    self.status = status
  }

  func check() {
    var now = stat()
    precondition(unsafe stat(path, &now) == 0, "\(path) is gone")
    precondition(
      now.st_ino == status.st_ino && now.st_mode == status.st_mode && now.st_uid == status.st_uid
        && now.st_nlink == status.st_nlink && now.st_size == status.st_size, "\(path) is another file")
    var found = [UInt8](repeating: 0, count: contents.count)
    precondition(
      unsafe pread(descriptor, &found, found.count, 0) == found.count && found == contents, "\(path) changed")
  }
}
