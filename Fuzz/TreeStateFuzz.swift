import FUSE
import FileSystem
import Glibc
import GuestMemory
import LittleEndian
import State

private let tag = StateTag("devi")

/// A session in a state whose checks hold and whose contents are anything: a good one, changed as the input says, four bytes a
/// change (field, place, value). It is refused, or it can be served, saved and restored once more, and ended: no trap, and nothing
/// beside its layers is touched.
@c(LLVMFuzzerTestOneInput)
public func fuzzTreeState(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
  let input = unsafe [UInt8](UnsafeBufferPointer(start: data, count: size).prefix(400))
  let stage = Stage.shared
  var fields = stage.good
  var at = 0
  while at + 4 <= input.count {
    let index = Int(input[at]) % fields.count
    let place = Int(input.field(UInt16.self, at: at + 1))
    switch place {
    case 0xffff: fields[index].value += [input[at + 3]]
    case 0xfffe: fields[index].value = Array(fields[index].value.dropLast())
    default:
      if !fields[index].value.isEmpty { fields[index].value[place % fields[index].value.count] = input[at + 3] }
    }
    at += 4
  }
  guard let server = restored(fields) else { return 0 }
  var again = FieldWriter()
  if (try? server.save(to: &again)) != nil {
    var state = StateWriter()
    state.add(tag, again)
    let next = stage.server()
    do throws(StateError) {
      var reader = try StateReader(state.finish())
      var fields = try reader.require(tag)
      try next.restore(from: &fields)
    } catch {
      fatalError("what was saved is refused: \(error)")
    }
    next.abandon()
  }
  stage.use(server)
  server.close()
  stage.check()
  return 0
}

private func restored(_ fields: [(id: UInt16, value: [UInt8])]) -> FileSystemServer? {
  var writer = FieldWriter()
  for (id, value) in fields { writer.put(id, value) }
  var state = StateWriter()
  state.add(tag, writer)
  let server = Stage.shared.server()
  do throws(StateError) {
    var reader = try StateReader(state.finish())
    var fields = try reader.require(tag)
    try server.restore(from: &fields)
    return server
  } catch {
    return nil
  }
}

/// A small tree in memory, and a state of a session that knows all of it.
private final class Stage {
  nonisolated(unsafe) static let shared = Stage()

  private let base = "/dev/shm/novm-tree-state-fuzz-\(getpid())"
  private let memory: GuestMemory
  private(set) var good: [(id: UInt16, value: [UInt8])] = []
  private var nodes: [UInt64] = [1]

  private init() {
    atexit { _ = system("rm -rf /dev/shm/novm-tree-state-fuzz-\(getpid())") }
    let directories = [
      "", "/lower", "/lower/d", "/lower/d/e", "/upper", "/shared", "/shared/a", "/shared/lib", "/given",
    ]
    for directory in directories { mkdir(base + directory, 0o755) }
    for file in ["/secret", "/lower/f", "/lower/d/e/g", "/shared/a/b", "/shared/lib/c", "/given/g"] {
      close(open(base + file, O_RDWR | O_CREAT, 0o644))
    }
    link(base + "/lower/f", base + "/lower/d/h")
    symlink("../secret", base + "/lower/out")
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 4096)
    unsafe bytes.initializeMemory(as: UInt8.self, repeating: 0)
    memory = unsafe GuestMemory(regions: [GuestMemory.Region(base: 0, bytes: bytes)])
    let server = server()
    send(server, 26, 0, [7, 0, 0, 0, 41, 0, 0, 0, 0, 0, 1, 0, 255, 255, 255, 0x7b])
    let names = [
      (0, "d"), (1, "e"), (2, "g"), (0, "f"), (1, "h"), (0, "out"), (0, "s"), (7, "a"), (8, "b"), (7, "lib"),
      (10, "c"), (10, "g"),
    ]
    for (parent, name) in names {
      send(server, 1, nodes[parent], Array(name.utf8) + [0])
      nodes.append(try! memory.load(at: 1 << 16 + 16))
    }
    // A copy of what has two names, and what is in the write map alone.
    send(
      server, 16, nodes[4], [UInt8](repeating: 0, count: 16) + [1, 0, 0, 0] + [UInt8](repeating: 0, count: 20) + [7])
    send(server, 9, 1, [0xed, 1, 0, 0, 0, 0, 0, 0] + Array("new\0".utf8))
    nodes.append(try! memory.load(at: 1 << 16 + 16))
    // What is removed while the guest knows it.
    send(server, 8, 1, [0xa4, 0x81, 0, 0] + [UInt8](repeating: 0, count: 12) + Array("gone\0".utf8))
    nodes.append(try! memory.load(at: 1 << 16 + 16))
    send(server, 10, 1, Array("gone\0".utf8))
    var fields = FieldWriter()
    try! server.save(to: &fields)
    var state = StateWriter()
    state.add(tag, fields)
    let payload = try! StateReader(state.finish()).contents[0].payload
    var at = 0
    while at < payload.count {
      let length = Int(payload.field(UInt32.self, at: at + 4))
      good.append((payload.field(at: at), Array(payload[(at + 8)..<(at + 8 + length)])))
      at += 8 + length
    }
    server.abandon()
  }

  func server() -> FileSystemServer {
    FileSystemServer(
      try! LayeredTree(
        reads: [
          LayerMap(guestPath: "/", hostPath: base + "/lower"), LayerMap(guestPath: "/s/lib", hostPath: base + "/given"),
        ],
        writes: [LayerMap(guestPath: "/", hostPath: base + "/upper")],
        shares: [Share(map: LayerMap(guestPath: "/s", hostPath: base + "/shared"), caching: .always)]))
  }

  private func send(_ server: FileSystemServer, _ opcode: UInt32, _ node: UInt64, _ arguments: [UInt8]) {
    var message = littleEndian(UInt32(40 + arguments.count)) + littleEndian(opcode) + littleEndian(UInt64(1))
    message += littleEndian(node) + [UInt8](repeating: 0, count: 16) + arguments
    try! memory.write(message, at: 0)
    let reply = try! memory.slice(at: 1 << 16, count: 1 << 16)
    _ = server.serve(readable: [try! memory.slice(at: 0, count: message.count)], writable: [reply])
  }

  /// Asks of all nodes what there is to ask.
  func use(_ server: FileSystemServer) {
    let nothing = [UInt8](repeating: 0, count: 16)
    for node in nodes {
      send(server, 3, node, nothing)
      send(server, 1, node, Array("e\0".utf8))
      send(server, 15, node, nothing + [0, 1, 0, 0] + [UInt8](repeating: 0, count: 20))
      send(server, 28, node, nothing + [0, 4, 0, 0] + [UInt8](repeating: 0, count: 20))
      send(server, 44, node, nothing + [0, 4, 0, 0] + [UInt8](repeating: 0, count: 20))
      send(server, 5, node, [])
      send(server, 16, node, nothing + [1, 0, 0, 0] + [UInt8](repeating: 0, count: 20) + [9])
      send(server, 9, node, [0xed, 1, 0, 0, 0, 0, 0, 0] + Array("made\0".utf8))
      send(server, 11, node, Array("made\0".utf8))
      send(server, 2, node, littleEndian(UInt64(2)))
    }
  }

  /// What no request may touch.
  func check() {
    for file in ["/secret", "/lower/f", "/lower/d/e/g", "/given/g"] {
      var status = stat()
      precondition(unsafe stat(base + file, &status) == 0 && status.st_size == 0, "\(file) was changed")
    }
  }
}
