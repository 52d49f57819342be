import Devices
import Glibc
import GuestMemory
import Host
import Testing
import VirtioTesting

@testable import Machine

/// A tap's frames, by a socket that keeps their bounds as a tap does.
final class TapBackendTests {
  private let memory = FakeGuestMemory(size: 1 << 20)
  private let backend: TapBackend
  private let peer: FileDescriptor

  init() throws {
    var ends: [Int32] = [-1, -1]
    try #require(unsafe socketpair(AF_UNIX, Int32(SOCK_SEQPACKET.rawValue | SOCK_NONBLOCK.rawValue), 0, &ends) == 0)
    peer = FileDescriptor(owning: ends[1])
    backend = try TapBackend([ends[0]], loop: try EventLoop()) { Issue.record("lost") }
  }

  private func slices(_ lengths: [Int]) throws -> [GuestSlice] {
    var address: GuestAddress = 0x1000
    return try lengths.map { length in
      defer { address += GuestAddress(length) + 64 }
      return try memory.slice(at: address, count: length)
    }
  }

  private static func frame(_ count: Int, seed: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ seed) }
  }

  /// Receives as the device does: into the buffers of `first`, and what they have no room for into others.
  private func receive(_ first: [Int]) throws -> [UInt8]? {
    let pieces = try slices(first)
    for piece in pieces { piece.fill(0xee) }
    guard case .moved(let length) = backend.receive(pair: 0, into: pieces) else { return nil }
    let room = pieces.byteCount
    var bytes = try #require(pieces.bytes(count: room))
    if length < room {
      #expect(bytes[length...].allSatisfy { $0 == 0xee }, "beyond the frame nothing is written")
      return Array(bytes[..<length])
    }
    let more =
      [try memory.slice(at: 0x8_0000, count: (length - room) / 2)]
      + [try memory.slice(at: 0xa_0000, count: length - room - (length - room) / 2)]
    backend.copyReceived(pair: 0, from: room, into: more)
    bytes += try #require(more.bytes(count: length - room))
    return bytes
  }

  /// Small frames are copied once a few have come, large ones go into the buffers: both are whole, whatever came before.
  @Test func framesOfAllSizesInAnyOrder() throws {
    let lengths = [60, 70, 1514, 80, 90, 100, 110, 120, 512, 513, 60, 60, 60, 60, 60, 60_000, 60_000, 60, 30, 4000]
    for (seed, length) in lengths.enumerated() {
      for room in [[1536], [12, 100, 40], [1536, 1536, 1536], [20]] {
        let frame = Self.frame(length, seed: seed)
        try peer.writeAll(frame)
        #expect(try receive(room) == frame, "\(length) into \(room)")
      }
    }
    #expect(backend.receive(pair: 0, into: try slices([1536])) == .blocked)
  }

  /// Not taken for one that just fits, whichever way it came.
  @Test func aFrameThatIsTooLong() throws {
    for _ in 0..<6 {
      try peer.writeAll(Self.frame(NetworkDevice.frameLimit + 2000, seed: 1))
      guard case .moved(let length) = backend.receive(pair: 0, into: try slices([1536])) else {
        Issue.record("nothing came")
        return
      }
      #expect(length > NetworkDevice.frameLimit)
      for seed in 0..<4 {
        try peer.writeAll(Self.frame(60, seed: seed))
        #expect(try receive([1536]) == Self.frame(60, seed: seed))
      }
    }
  }

  /// More pieces than a system call takes.
  @Test func framesInManyPieces() throws {
    let pieces = [Int](repeating: 3, count: 400)
    for seed in 0..<8 {
      let frame = Self.frame(seed < 4 ? 1100 : 200, seed: seed)
      try peer.writeAll(frame)
      #expect(try receive(pieces) == frame)
    }
    let sent = try slices(pieces)
    let frame = Self.frame(1200, seed: 9)
    sent.copy(from: frame)
    #expect(backend.send(pair: 0, sent) == .moved(1200))
    #expect(try read() == frame)
  }

  @Test func sendsInOnePieceAndInSeveral() throws {
    for lengths in [[100], [12, 88], [1, 2, 3, 94]] {
      let pieces = try slices(lengths)
      let frame = Self.frame(100, seed: lengths.count)
      pieces.copy(from: frame)
      #expect(backend.send(pair: 0, pieces) == .moved(100))
      #expect(try read() == frame)
    }
  }

  @Test func aFullLinkBlocks() throws {
    let pieces = try slices([60_000])
    var sent = 0
    while backend.send(pair: 0, pieces) == .moved(60_000) { sent += 1 }
    #expect(sent > 0 && backend.send(pair: 0, pieces) == .blocked)
    for _ in 0..<sent { #expect(try read().count == 60_000) }
    #expect(backend.send(pair: 0, pieces) == .moved(60_000))
  }

  private func read() throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 1 << 17)
    let count = try peer.read(into: &bytes)
    return Array(bytes[..<count])
  }
}
