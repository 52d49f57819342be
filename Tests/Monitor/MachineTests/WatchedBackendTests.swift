import Devices
import GuestMemory
import Host
import Testing
import VirtioTesting

@testable import Machine

/// What is captured of a link.
struct WatchedBackendTests {
  private let memory = FakeGuestMemory(size: 1 << 20)
  private let loop = try! EventLoop()
  private let link = FakeLink()
  private let backend: WatchedBackend

  init() {
    backend = WatchedBackend(link, name: "card 0", loop: loop)
  }

  private func capture() throws -> FileDescriptor {
    let (ours, theirs) = try UnixSocket.pair().split()
    try backend.capture(to: FileDescriptor(owning: ours))
    return FileDescriptor(owning: theirs)
  }

  private func slices(_ lengths: Int...) throws -> [GuestSlice] {
    var address: GuestAddress = 0x1000
    return try lengths.map { length in
      defer { address += GuestAddress(length) + 64 }
      return try memory.slice(at: address, count: length)
    }
  }

  /// The packets of what has come so far, behind the two blocks of the header.
  private func packets(_ stream: borrowing FileDescriptor) throws -> [CapturedPacket] {
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    let count = try stream.read(into: &bytes)
    let blocks = CapturedPacket.blocks(Array(bytes[..<count]))
    #expect(blocks.prefix(2).map(\.type) == [0x0A0D_0D0A, 1])
    return try blocks.dropFirst(2).map { try #require(CapturedPacket($0)) }
  }

  @Test func bothWaysWhole() throws {
    let reader = try capture()
    let outgoing = [UInt8]((0..<99).map { $0 })
    let sending = try slices(5, 40, 100)
    _ = sending.copy(from: [UInt8](repeating: 7, count: 12) + outgoing)
    #expect(backend.send(pair: 0, [sending[0], sending[1], sending[2].dropping(0, count: 66)]) == .moved(111))

    let incoming = [UInt8](repeating: 9, count: 60)
    link.frames = [incoming]
    #expect(backend.receive(pair: 0, into: try slices(200)) == .moved(72))
    let packets = try packets(reader)
    #expect(packets.map(\.data) == [outgoing, incoming])
    #expect(packets.map(\.length) == [99, 60])
    #expect(packets.map(\.flags) == [2, 1])
    #expect(packets[0].time <= packets[1].time && packets[0].time > 1_735_689_600_000_000_000)
  }

  /// A frame goes to the guest in pieces, as it gives buffers; one that it gives no more for is captured as far as it went.
  @Test func framesInPieces() throws {
    let reader = try capture()
    let frame = [UInt8]((0..<200).map { $0 })
    link.frames = [frame, frame]
    #expect(backend.receive(pair: 0, into: try slices(100)) == .moved(212))
    backend.copyReceived(pair: 0, from: 100, into: try slices(50))
    backend.copyReceived(pair: 0, from: 150, into: try slices(100))
    #expect(backend.receive(pair: 0, into: try slices(100)) == .moved(212))
    link.frames = [[1, 2, 3]]
    #expect(backend.receive(pair: 0, into: try slices(100)) == .moved(15))
    let packets = try packets(reader)
    #expect(packets.map(\.data) == [frame, Array(frame[..<88]), [1, 2, 3]])
    #expect(packets.map(\.length) == [200, 200, 3])
  }

  @Test func aSlowReaderIsToldWhatItMisses() throws {
    let reader = try capture()
    let frame = [UInt8](repeating: 5, count: 60_000)
    for _ in 0..<200 {
      link.frames = [frame]
      _ = backend.receive(pair: 0, into: try slices(70_000))
    }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    try reader.setNonblocking()
    var isDrained = false
    while !isDrained {
      if let count = try? reader.read(into: &buffer), count > 0 { bytes += buffer[..<count] } else { isDrained = true }
      // What the loop does when there is room.
      backend.flush()
    }
    link.frames = [frame]
    _ = backend.receive(pair: 0, into: try slices(70_000))
    while let count = try? reader.read(into: &buffer), count > 0 { bytes += buffer[..<count] }
    let packets = CapturedPacket.blocks(bytes).dropFirst(2).compactMap { CapturedPacket($0) }
    #expect(packets.count < 200)
    #expect(packets.reduce(0) { $0 + $1.lost } + UInt64(packets.count) == 201)
    #expect(packets.allSatisfy { $0.data == frame })
  }

  @Test func aReaderThatLeavesIsForgotten() throws {
    do { _ = try capture() }
    link.frames = [[1, 2, 3]]
    _ = backend.receive(pair: 0, into: try slices(100))
    #expect(backend.streamCount == 0)
    #expect(backend.send(pair: 0, try slices(60)) == .moved(60))
  }
}

/// An enhanced packet block, read without the code that writes it.
private struct CapturedPacket {
  struct Block {
    let type: UInt32
    let body: [UInt8]
  }

  let time: UInt64
  let length: Int
  let data: [UInt8]
  var flags: UInt32 = 0
  var lost: UInt64 = 0

  init?(_ block: Block) {
    guard block.type == 6 else { return nil }
    let body = block.body
    time = UInt64(Self.number(body, 4)) << 32 | UInt64(Self.number(body, 8))
    let captured = Int(Self.number(body, 12))
    length = Int(Self.number(body, 16))
    data = Array(body[20..<20 + captured])
    var option = 20 + (captured + 3) & ~3
    while option + 4 <= body.count {
      let code = Self.number(body, option) & 0xffff
      if code == 2 { flags = Self.number(body, option + 4) }
      if code == 4 { lost = UInt64(Self.number(body, option + 4)) | UInt64(Self.number(body, option + 8)) << 32 }
      option += 4 + (Int(Self.number(body, option) >> 16) + 3) & ~3
    }
  }

  static func blocks(_ bytes: [UInt8]) -> [Block] {
    var blocks: [Block] = []
    var start = 0
    while start < bytes.count {
      let length = Int(number(bytes, start + 4))
      #expect(length & 3 == 0 && number(bytes, start + length - 4) == UInt32(length))
      blocks.append(Block(type: number(bytes, start), body: Array(bytes[start + 8..<start + length - 4])))
      start += length
    }
    return blocks
  }

  private static func number(_ bytes: [UInt8], _ offset: Int) -> UInt32 {
    (0..<4).reduce(0) { $0 | UInt32(bytes[offset + $1]) << (8 * UInt32($1)) }
  }
}
