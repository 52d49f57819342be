import FUSE
import FileSystem
import Foundation
import GuestMemory

/// How to serve, and what was served.
final class Service: @unchecked Sendable {
  var trace = false
  var recorder: Recorder?
  /// INIT flags that the server shall not see.
  var without: InitFlags = []
  private let lock = NSLock()
  private var counts: [UInt32: Int] = [:]

  func count(_ opcode: UInt32) {
    lock.withLock { counts[opcode, default: 0] += 1 }
  }

  /// One line with the number of requests of each kind.
  var summary: String {
    lock.withLock {
      let parts = counts.sorted { $0.value > $1.value }.map { "\(name($0.key)) \($0.value)" }
      return "\(counts.values.reduce(0, +)) requests: \(parts.joined(separator: ", "))\n"
    }
  }
}

private func name(_ opcode: UInt32) -> String { Opcode(rawValue: opcode).map { "\($0)" } ?? "\(opcode)" }

/// Takes requests from the kernel as a virtio-fs queue would, until the tree is unmounted.
func serve(_ device: Int32, _ server: FileSystemServer, _ service: Service) {
  let half = (1 << 20) + 65536
  let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 2 * half, alignment: 4096)
  let memory = GuestMemory(regions: [GuestMemory.Region(base: 0, bytes: bytes)])
  while true {
    let count = read(device, bytes.baseAddress!, half)
    if count < 0 {
      if errno == EINTR || errno == EAGAIN || errno == ENOENT { continue }
      return
    }
    let opcode = bytes.load(fromByteOffset: 4, as: UInt32.self)
    service.count(opcode)
    if opcode == Opcode.initialize.rawValue {
      let offered = bytes.load(fromByteOffset: 52, as: UInt32.self)
      bytes.storeBytes(
        of: offered & ~UInt32(truncatingIfNeeded: service.without.rawValue), toByteOffset: 52, as: UInt32.self)
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
    service.recorder?.record(
      UnsafeRawBufferPointer(start: bytes.baseAddress!, count: count),
      UnsafeRawBufferPointer(start: bytes.baseAddress! + half, count: Int(length)))
    if service.trace {
      let error = length > 0 ? bytes.load(fromByteOffset: half + 4, as: Int32.self) : 0
      let node = bytes.load(fromByteOffset: 16, as: UInt64.self)
      FileHandle.standardError.write(Data("\(name(opcode)) node \(node) -> \(error), \(length) bytes\n".utf8))
    }
    if length > 0 { _ = write(device, bytes.baseAddress! + half, Int(length)) }
  }
}
