import Devices
import Egress
import GuestMemory
import Host
import Testing
import Virtio
import VirtioTesting

@testable import Machine

/// Links that are looked at, below a card whose guest changes its frames whenever it can.
struct FilteredBackendTests {
  private static let granted: [UInt8] = [192, 0, 2, 7]
  private static let other: [UInt8] = [192, 0, 2, 8]

  private let link = FakeLink()
  private let loop = try! EventLoop()

  private func filtered() throws -> Bench {
    var grants = GrantList()
    let isGranted = grants.make(.allow, Array("192.0.2.7:9/udp".utf8))
    #expect(isGranted)
    let card = EgressFilter.Card(
      hardwareAddress: 0x0200_0000_0001, address: IPv4Address(0x0a00_020f), prefixLength: 24, resolvers: [])
    let backend = try FilteredBackend(link, EgressFilter(card, grants) { _ in }, loop: loop)
    let bench = Bench(backend)
    backend.device = bench.device
    return bench
  }

  private func sourceFiltered() throws -> Bench {
    let filter = SourceFilter(hardwareAddress: 0x0200_0000_0001, addresses: [[10, 0, 2, 15]])
    return Bench(try SourceFilteredBackend(link, filter))
  }

  private func datagram(
    to server: [UInt8], source: [UInt8] = [10, 0, 2, 15], count: Int = 300, isInbound: Bool = false
  ) -> [UInt8] {
    let (card, gateway) = ([2, 0, 0, 0, 0, 1] as [UInt8], [0x52, 0x55, 10, 0, 2, 2] as [UInt8])
    let length = 28 + count
    var frame = (isInbound ? card + gateway : gateway + card) + [8, 0]
    frame += [0x45, 0, UInt8(length >> 8), UInt8(length & 255), 0, 0, 0x40, 0, 64, 17, 0, 0]
    frame += isInbound ? server + source : source + server
    let ports: [UInt8] = [0, 9, 0xc0, 0]
    frame += isInbound ? ports : Array(ports[2...] + ports[..<2])
    frame += [UInt8((8 + count) >> 8), UInt8((8 + count) & 255), 0, 0]
    return frame + (0..<count).map { UInt8(truncatingIfNeeded: $0) }
  }

  // MARK: By a list

  @Test func whatIsLookedAtIsWhatIsSent() throws {
    let bench = try filtered()
    let (frame, changed) = (datagram(to: Self.granted), datagram(to: Self.other))
    link.takes = {
      bench.put(changed)
      return true
    }
    bench.send(frame)
    #expect(link.sent == [frame] && bench.transmit.reap() != nil)
    // As it is by now, it does not go.
    bench.sendAgain(changed.count)
    #expect(link.sent == [frame] && bench.transmit.reap() != nil)
  }

  /// What waits is looked at again when it goes.
  @Test(arguments: [false, true]) func whatWaitsIsLookedAtAgain(isChanged: Bool) throws {
    let bench = try filtered()
    let frame = datagram(to: Self.granted)
    link.takes = {
      if isChanged { bench.put(datagram(to: Self.other)) }
      return false
    }
    bench.send(frame)
    #expect(link.sent.isEmpty && bench.transmit.reap() == nil)
    link.takes = { true }
    bench.device.writable(pair: 0)
    #expect(link.sent == (isChanged ? [] : [frame]) && bench.transmit.reap() != nil)
  }

  /// Not from within the call that sends, and in however many buffers.
  @Test(arguments: [40, 2000]) func whatIsRefusedIsAnswered(room: Int) throws {
    let bench = try filtered()
    bench.offer(4, of: room)
    let frame = datagram(to: Self.other)
    bench.send(frame)
    #expect(link.sent.isEmpty && bench.transmit.reap() != nil)
    #expect(bench.receive.reap() == nil)
    let end = try Timer(loop) { loop.stop() }
    end.start(nanoseconds: 20_000_000)
    try loop.run()
    let answer = try bench.received()
    // From whom it was for: ICMP, destination unreachable, administratively prohibited, and the header that it is about.
    #expect(answer.count == 14 + 20 + 8 + 28 && Array(answer[..<6]) == [2, 0, 0, 0, 0, 1])
    #expect(answer[23] == 1 && Array(answer[26..<34]) == Self.other + [10, 0, 2, 15])
    #expect(Array(answer[34...35]) == [3, 13] && Array(answer[42...]) == Array(frame[14..<42]))
    #expect(bench.receive.reap() == nil)
  }

  @Test(arguments: [64, 2000]) func onlyWhatBelongsToItComesIn(room: Int) throws {
    let bench = try filtered()
    bench.offer(16, of: room)
    let (answer, stranger) = (datagram(to: Self.granted, isInbound: true), datagram(to: Self.other, isInbound: true))
    link.frames = [answer]
    bench.device.readable(pair: 0)
    #expect(bench.receive.reap() == nil)
    bench.send(datagram(to: Self.granted))
    link.frames = [stranger, answer, stranger, []]
    bench.device.readable(pair: 0)
    #expect(try bench.received() == answer)
    #expect(bench.receive.reap() == nil && link.frames.isEmpty)
  }

  // MARK: By its own addresses

  /// The head that was looked at is sent; what is behind it is the guest's own affair.
  @Test func theHeadThatIsLookedAtIsSent() throws {
    let bench = try sourceFiltered()
    let (frame, forged) = (datagram(to: Self.granted), datagram(to: Self.granted, source: [10, 0, 2, 16]))
    bench.send(frame)
    #expect(link.sent == [frame])
    link.takes = {
      bench.put(Array(forged.dropLast()) + [0xee])
      return true
    }
    bench.send(frame)
    #expect(link.sent.count == 2 && link.sent.last == Array(frame.dropLast()) + [0xee])
    link.takes = { true }
    bench.send(forged)
    #expect(link.sent.count == 2)
    // Shorter than the head, and as long.
    for count in [1, 85, 86, 87] {
      let frame = datagram(to: Self.granted, count: count)
      bench.send(frame)
      #expect(link.sent.last == frame)
    }
  }

  @Test func aForgedSenderDoesNotWait() throws {
    let bench = try sourceFiltered()
    let forged = datagram(to: Self.granted, source: [10, 0, 2, 16])
    link.takes = {
      bench.put(forged)
      return false
    }
    bench.send(datagram(to: Self.granted))
    link.takes = { true }
    #expect(bench.transmit.reap() == nil)
    bench.device.writable(pair: 0)
    #expect(link.sent.isEmpty && bench.transmit.reap() != nil)
  }
}

/// A card on a link of the test's.
private final class Bench {
  let device: NetworkDevice
  let receive: DriverQueue
  let transmit: DriverQueue
  private let memory = FakeGuestMemory(size: 1 << 20)
  private var offered: [UInt16: GuestAddress] = [:]
  private static let output: GuestAddress = 0xd_0000

  init(_ backend: any NetworkBackend) {
    device = NetworkDevice(address: [2, 0, 0, 0, 0, 1], mtu: 1500, backend: backend)
    receive = DriverQueue(memory, size: 128, base: 0x1000, index: 0)
    transmit = DriverQueue(memory, size: 128, base: 0x4000, index: 1)
    let control = DriverQueue(memory, size: 8, base: 0x8000, index: 2)
    device.start([receive, transmit, control].map(\.deviceSide), features: device.features.union(.common))
  }

  /// Into the guest's memory alone.
  func put(_ frame: [UInt8]) { try! memory.write(frame, at: Self.output + 12) }

  func send(_ frame: [UInt8]) {
    put(frame)
    sendAgain(frame.count)
  }

  /// What lies there, in pieces, as drivers do.
  func sendAgain(_ count: Int) {
    transmit.offer([
      .readable(Self.output, 12), .readable(Self.output + 12, 20), .readable(Self.output + 32, UInt32(count - 20)),
    ])
    try! device.process(transmit.deviceSide)
  }

  func offer(_ count: Int, of size: Int) {
    for index in 0..<count {
      let address: GuestAddress = 0x2_0000 + GuestAddress(index * size)
      offered[receive.offer([.writable(address, UInt32(size))])] = address
    }
    try! device.process(receive.deviceSide)
  }

  /// The next frame that arrived, without its header.
  func received() throws -> [UInt8] {
    var bytes: [UInt8] = []
    var left = 1
    while left > 0 {
      let (head, written) = try #require(receive.reap())
      let address = try #require(offered[head])
      if bytes.isEmpty { left = Int(try memory.load(UInt16.self, at: address + 10)) }
      bytes += try memory.read(count: written, at: address)
      left -= 1
    }
    return Array(bytes[12...])
  }
}
