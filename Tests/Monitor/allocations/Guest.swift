import FUSE
import FileSystem
import GuestMemory

/// Sends requests as a virtio-fs queue would, from buffers that are made once.
struct Guest {
  private let memory: GuestMemory
  private let server: FileSystemServer
  private let readable: [GuestSlice]
  private let writable: [GuestSlice]
  private let room = 1 << 16

  init(_ server: FileSystemServer) {
    self.server = server
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 2 * room, alignment: 4096)
    _ = bytes.initializeMemory(as: UInt8.self, repeating: 0)
    memory = GuestMemory(regions: [GuestMemory.Region(base: 0, bytes: bytes)])
    // In pieces, as Linux has them: header, arguments, pages.
    readable = [try! memory.slice(at: 0, count: 40)] + Guest.pieces(memory, from: 40, to: room)
    writable = [try! memory.slice(at: UInt64(room), count: 16)] + Guest.pieces(memory, from: room + 16, to: 2 * room)
  }

  private static func pieces(_ memory: GuestMemory, from start: Int, to end: Int) -> [GuestSlice] {
    stride(from: start, to: end, by: 4096).map { at in try! memory.slice(at: UInt64(at), count: min(4096, end - at)) }
  }

  /// Lays out a request, to be sent as often as wanted.
  func prepare(_ opcode: Opcode, _ node: UInt64, _ arguments: [UInt8]) {
    try! memory.store(UInt32(40 + arguments.count), at: 0)
    try! memory.store(opcode.rawValue, at: 4)
    try! memory.store(UInt64(7), at: 8)
    try! memory.store(node, at: 16)
    for at in stride(from: 24, to: 40, by: 4) { try! memory.store(UInt32(0), at: UInt64(at)) }
    try! memory.write(arguments, at: 40)
  }

  /// The error of the reply, a positive errno.
  func send() -> Int32 {
    _ = server.serve(readable: readable, writable: writable)
    return 0 &- (try! memory.load(Int32.self, at: UInt64(room) + 4))
  }

  /// The length of the last reply, with its header.
  var replyLength: UInt32 { try! memory.load(at: UInt64(room)) }

  /// A field of the last reply, behind its header.
  func reply(at offset: Int) -> UInt64 { try! memory.load(at: UInt64(room + 16 + offset)) }
}
