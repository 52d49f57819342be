import Devices
import GuestMemory
import Host
import Testing
import Virtio
import VirtioTesting

@testable import Machine

/// A card whose other end is a socket of the test's.
struct StreamBackendTests {
  private let memory = FakeGuestMemory(size: 1 << 20)
  private let loop = try! EventLoop()
  private let bench: Bench

  init() throws {
    bench = try Bench(memory, loop)
  }

  @Test func sends() throws {
    let frame = Bench.frame(100)
    bench.send(frame)
    #expect(bench.peerRead(104) == [0, 0, 0, 100] + frame)
    #expect(bench.transmit.reap() != nil)
  }

  @Test func whatTheSocketDoesNotTakeWaits() throws {
    // More than any socket's buffer, in frames that it takes in part.
    let frames = (0..<60).map { Bench.frame(9000, seed: $0) }
    var sent = 0
    var got: [UInt8] = []
    var isBlocked = false
    for frame in frames {
      bench.send(frame)
      sent += 1
      if bench.transmit.reap() == nil {
        isBlocked = true
        break
      }
    }
    #expect(isBlocked)
    let expected: [UInt8] = frames[..<sent].flatMap { [0, 0, 0x23, 0x28] as [UInt8] + $0 }
    while got.count < expected.count {
      got += bench.peerRead(min(expected.count - got.count, 30_000))
      bench.backend.ready(.writable)
    }
    #expect(got == expected)
    #expect(bench.transmit.reap() != nil)
  }

  @Test func receives() throws {
    let frames = [Bench.frame(60), Bench.frame(1514, seed: 3), Bench.frame(65535, seed: 5)]
    for _ in 0..<3 { bench.offer(40, of: 2000) }
    bench.peerWrite(frames.flatMap { Self.length($0.count) + $0 })
    bench.backend.ready(.readable)
    for frame in frames {
      let (header, bytes) = try bench.received()
      #expect(bytes == frame)
      #expect(header == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, UInt8((frame.count + 12 + 1999) / 2000), 0])
    }
    #expect(bench.receive.reap() == nil)
  }

  @Test func framesComeInAnyPieces() throws {
    bench.offer(8, of: 2000)
    let bytes = Self.length(300) + Bench.frame(300) + Self.length(70) + Bench.frame(70, seed: 9)
    for byte in bytes {
      bench.peerWrite([byte])
      bench.backend.ready(.readable)
    }
    #expect(try bench.received().frame == Bench.frame(300))
    #expect(try bench.received().frame == Bench.frame(70, seed: 9))
  }

  @Test func framesThatAreNoneAreSkipped() throws {
    bench.offer(4, of: 2000)
    bench.peerWrite(Self.length(0) + Self.length(5) + [1, 2, 3, 4, 5] + Self.length(60) + Bench.frame(60))
    bench.backend.ready(.readable)
    #expect(try bench.received().frame == Bench.frame(60))
    #expect(bench.lost.reasons.isEmpty)
  }

  @Test func lengthBeyondAnyFrameEndsTheLink() throws {
    bench.offer(4, of: 2000)
    bench.peerWrite([0, 1, 0, 18])
    bench.backend.ready(.readable)
    bench.backend.ready(.readable)
    #expect(bench.lost.reasons == ["the other end sent a frame of 65554 bytes"])
    // What the guest sends goes nowhere, and is given back.
    bench.send(Bench.frame(60))
    #expect(bench.transmit.reap() != nil)
  }

  @Test func endOfThePeerEndsTheLink() throws {
    bench.offer(4, of: 2000)
    bench.peerWrite(Self.length(60) + Bench.frame(60))
    bench.closePeer()
    bench.backend.ready([.readable, .hangUp])
    #expect(try bench.received().frame == Bench.frame(60))
    bench.backend.ready([.readable, .hangUp])
    #expect(bench.lost.reasons == ["the other end is gone"])
  }

  @Test func framesToLoopbackGoNowhere() throws {
    let guarded = try Bench(memory, loop, sendsToLoopback: false)
    func four(_ address: [UInt8]) -> [UInt8] {
      let header: [UInt8] = [0x45, 0, 0, 40, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 2, 15]
      return Bench.frame(12) + [8, 0] + header + address + Bench.frame(60)
    }
    func six(_ address: [UInt8]) -> [UInt8] {
      Bench.frame(12) + [0x86, 0xdd] + [UInt8](repeating: 0x60, count: 24) + address + Bench.frame(60)
    }
    let zeros = [UInt8](repeating: 0, count: 16)
    let loopback: [[UInt8]] = [
      four([127, 0, 0, 1]), four([127, 255, 3, 4]), four([0, 0, 0, 0]), six(zeros), six(zeros.dropLast() + [1]),
      six(zeros.prefix(10) + [0xff, 0xff, 127, 0, 0, 1]),
    ]
    let others: [[UInt8]] = [
      four([10, 0, 2, 2]), four([128, 0, 0, 1]), six(zeros.dropLast() + [2]), six([0xfe, 0x80] + zeros.dropLast(2)),
      six(zeros.prefix(10) + [0, 1] + zeros.prefix(4)), Bench.frame(12) + [8, 6] + Bench.frame(60),
    ]
    for (frame, other) in zip(loopback, others) {
      guarded.send(frame)
      #expect(guarded.transmit.reap() != nil)
      guarded.send(other)
      #expect(guarded.peerRead(4 + other.count) == Self.length(other.count) + other)
      #expect(guarded.transmit.reap() != nil)
      // Without the filter both go.
      bench.send(frame)
      #expect(bench.peerRead(4 + frame.count) == Self.length(frame.count) + frame)
      #expect(bench.transmit.reap() != nil)
    }
    // Cut short within the address: nobody could tell.
    guarded.send(four([10, 0]).prefix(32) + [])
    guarded.send(Bench.frame(1000))
    #expect(guarded.peerRead(1004) == Self.length(1000) + Bench.frame(1000))
  }

  private static func length(_ count: Int) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: count >> $0) }
  }
}

private final class Lost {
  var reasons: [String] = []
}

private final class Bench {
  let receive: DriverQueue
  let transmit: DriverQueue
  let backend: StreamBackend
  let lost = Lost()
  private let device: NetworkDevice
  private let memory: GuestMemory
  private var peer: FileDescriptor?
  private var offered: [UInt16: (GuestAddress, Int)] = [:]
  private var free: GuestAddress = 0x2_0000

  init(_ memory: GuestMemory, _ loop: EventLoop, sendsToLoopback: Bool = true) throws {
    self.memory = memory
    let (ours, theirs) = try UnixSocket.pair().split()
    peer = FileDescriptor(owning: theirs)
    let lost = self.lost
    backend = try StreamBackend(FileDescriptor(owning: ours), sendsToLoopback: sendsToLoopback, loop: loop) {
      lost.reasons.append($0)
    }
    device = NetworkDevice(address: [2, 0, 0, 0, 0, 1], mtu: 1500, backend: backend)
    backend.device = device
    receive = DriverQueue(memory, size: 128, base: 0x1000, index: 0)
    transmit = DriverQueue(memory, size: 128, base: 0x4000, index: 1)
    let control = DriverQueue(memory, size: 8, base: 0x8000, index: 2)
    device.start(
      [receive, transmit, control].map(\.deviceSide), features: device.features.union(.common))
  }

  static func frame(_ count: Int, seed: Int = 0) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: ($0 + seed) % 253) }
  }

  func send(_ frame: [UInt8]) {
    try! memory.write([UInt8](repeating: 0, count: 12) + frame, at: 0xd_0000)
    // In pieces, as drivers do.
    transmit.offer([
      .readable(0xd_0000, 12), .readable(0xd_000c, 20), .readable(0xd_0020, UInt32(frame.count - 20)),
    ])
    try! device.process(transmit.deviceSide)
  }

  func offer(_ count: Int, of size: Int) {
    for _ in 0..<count {
      let head = receive.offer([.writable(free, UInt32(size))])
      offered[head] = (free, size)
      free += GuestAddress(size + 15 & ~15)
    }
  }

  /// The next frame that arrived.
  func received() throws -> (header: [UInt8], frame: [UInt8]) {
    var bytes: [UInt8] = []
    var left = 1
    while left > 0 {
      let (head, written) = try #require(receive.reap())
      let (address, _) = try #require(offered[head])
      if bytes.isEmpty { left = Int(try memory.load(UInt16.self, at: address + 10)) }
      bytes += try memory.read(count: written, at: address)
      left -= 1
    }
    return (Array(bytes[..<12]), Array(bytes[12...]))
  }

  func peerWrite(_ bytes: [UInt8]) { try! peer!.writeAll(bytes) }

  func peerRead(_ count: Int) -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: count)
    let got = try! peer!.read(into: &buffer)
    return Array(buffer[..<got])
  }

  func closePeer() { peer = nil }
}
