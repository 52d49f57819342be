import FUSE
import Foundation
import Glibc
import GuestMemory
import Host

@testable import FileSystem

/// A directory of the host, mounted by the kernel's FUSE through a server of ours, so that any request about it can be made to
/// fail: a disk with errors, a quota, a server that has gone. Needs root and /dev/fuse.
final class TroubledMount: @unchecked Sendable {
  /// What is to fail.
  struct Trouble {
    /// One of these is the answer.
    var errors: [Int32] = []
    /// Requests that are let through first.
    var after = 0
    /// How many fail then.
    var count = Int.max
    /// Which requests are meant; none for all.
    var opcodes: Set<Opcode> = []
  }

  let path: String
  private let device: Int32
  private let server: FileSystemServer
  private let lock = NSLock()
  private var trouble = Trouble()
  private var random = ModelTests.Random(state: 1)
  private var failures = 0
  private var isGone = false
  private let threads = DispatchGroup()

  static var isPossible: Bool { geteuid() == 0 && access("/dev/fuse", R_OK | W_OK) == 0 }

  /// Mounts `source` at `path`.
  init(_ source: String, at path: String) throws {
    self.path = path
    let share = Share(map: LayerMap(guestPath: "/", hostPath: source), caching: .none)
    server = FileSystemServer(try LayeredTree(reads: [], shares: [share]))
    device = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK)
    if device < 0 { throw Errno.current }
    let options = "fd=\(device),rootmode=40000,user_id=0,group_id=0,default_permissions,allow_other"
    if mount("troubled", path, "fuse", 0, options) != 0 { throw Errno.current }
    for _ in 0..<2 {
      threads.enter()
      Foundation.Thread { [self] in
        serve()
        threads.leave()
      }.start()
    }
  }

  /// Its server goes: whoever has something open there gets an error for all that he asks from now on. To be called in the end.
  func abort() {
    lock.withLock {
      if isGone { return }
      isGone = true
    }
    threads.wait()
    close(device)
    umount2(path, Int32(MNT_DETACH))
  }

  /// From now on, requests fail; no more with the default.
  func begin(_ trouble: Trouble = Trouble(), seed: UInt64 = 1) {
    lock.withLock {
      self.trouble = trouble
      random = ModelTests.Random(state: seed)
    }
  }

  /// Requests that were made to fail.
  var failureCount: Int { lock.withLock { failures } }

  private func failure(_ opcode: UInt32) -> Int32? {
    lock.withLock {
      guard !trouble.errors.isEmpty, let opcode = Opcode(rawValue: opcode),
        ![.initialize, .forget, .batchForget, .interrupt, .destroy, .release, .releasedir, .flush].contains(opcode),
        trouble.opcodes.isEmpty || trouble.opcodes.contains(opcode), trouble.count > 0
      else { return nil }
      trouble.after -= 1
      if trouble.after >= 0 { return nil }
      trouble.count -= 1
      failures += 1
      return trouble.errors.randomElement(using: &random)
    }
  }

  private func serve() {
    let half = (1 << 20) + 65536
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 2 * half, alignment: 4096)
    defer { bytes.deallocate() }
    let memory = GuestMemory(regions: [GuestMemory.Region(base: 0, bytes: bytes)])
    while !lock.withLock({ isGone }) {
      var ready = pollfd(fd: device, events: Int16(POLLIN), revents: 0)
      guard poll(&ready, 1, 50) == 1 else { continue }
      let count = read(device, bytes.baseAddress!, half)
      if count < 0 {
        if errno == EINTR || errno == EAGAIN || errno == ENOENT { continue }
        return
      }
      var length: UInt32
      if let error = failure(bytes.load(fromByteOffset: 4, as: UInt32.self)) {
        length = 16
        bytes.storeBytes(of: length, toByteOffset: half, as: UInt32.self)
        bytes.storeBytes(of: -error, toByteOffset: half + 4, as: Int32.self)
        bytes.storeBytes(
          of: bytes.load(fromByteOffset: 8, as: UInt64.self), toByteOffset: half + 8, as: UInt64.self)
      } else {
        length = server.serve(
          readable: [try! memory.slice(at: 0, count: count)],
          writable: [try! memory.slice(at: UInt64(half), count: half)])
      }
      if length > 0 { _ = write(device, bytes.baseAddress! + half, Int(length)) }
    }
  }
}
