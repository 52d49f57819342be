import FUSE
import FileSystem
import Foundation
import GuestMemory

/// Takes requests from the kernel as a virtio-fs queue would, until the tree is unmounted.
func serve(_ device: Int32, _ server: FileSystemServer, trace: Bool) {
  let half = (1 << 20) + 65536
  let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 2 * half, alignment: 4096)
  let memory = GuestMemory(regions: [GuestMemory.Region(base: 0, bytes: bytes)])
  while true {
    let count = read(device, bytes.baseAddress!, half)
    if count < 0 {
      if errno == EINTR || errno == EAGAIN || errno == ENOENT { continue }
      return
    }
    // In pieces, as a guest's pages are.
    var readable: [GuestSlice] = []
    var at = 0
    while at < count {
      let step = min(at == 0 ? 40 : 4096, count - at)
      readable.append(try! memory.slice(at: UInt64(at), count: step))
      at += step
    }
    let writable = [
      try! memory.slice(at: UInt64(half), count: 16), try! memory.slice(at: UInt64(half) + 16, count: half - 16),
    ]
    let length = server.serve(readable: readable, writable: writable)
    if trace {
      let opcode = bytes.load(fromByteOffset: 4, as: UInt32.self)
      let error = length > 0 ? bytes.load(fromByteOffset: half + 4, as: Int32.self) : 0
      let node = bytes.load(fromByteOffset: 16, as: UInt64.self)
      let name = Opcode(rawValue: opcode).map { "\($0)" } ?? "\(opcode)"
      FileHandle.standardError.write(Data("\(name) node \(node) -> \(error), \(length) bytes\n".utf8))
    }
    if length > 0 { _ = write(device, bytes.baseAddress! + half, Int(length)) }
  }
}
