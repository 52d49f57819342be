import GuestMemory
import Testing
import Virtio
import VirtioTesting

@testable import Devices

private typealias Operation = VsockHeader.Operation
private typealias Shutdown = VsockHeader.Shutdown

struct VsockDeviceTests {
  // MARK: Connecting

  @Test func guestConnects() throws {
    let driver = VsockDriver()
    try driver.send(Operation.request, host: 5000, guest: 900)
    let answers = try driver.packets()
    #expect(driver.backend.ports == [5000])
    #expect(answers.map(\.operation) == [Operation.response])
    let answer = try #require(answers.first).header
    #expect(answer.sourceCID == 2 && answer.destinationCID == 3)
    #expect(answer.sourcePort == 5000 && answer.destinationPort == 900)
    #expect(answer.type == 1 && answer.length == 0 && answer.forwardCount == 0)
    #expect(answer.bufferAllocation == VsockStreamTable.largeAllocation)
  }

  /// A guest that opens and resets, and takes no packet: what is owed to such a stream is forgotten with it.
  @Test func streamsThatAreResetLeaveTheRound() throws {
    let driver = VsockDriver(buffers: 0)
    for round in 0..<3000 as Range<UInt32> {
      try driver.send(Operation.request, host: 5000, guest: 900 + round)
      if round % 3 > 0 { try driver.send(Operation.reset, host: 5000, guest: 900 + round) }
      #expect(driver.device.scheduledCount == driver.device.streamCount)
    }
    #expect(driver.device.streamCount == 1000)
  }

  @Test func refusedConnectionIsReset() throws {
    let driver = VsockDriver()
    driver.backend.refuses = true
    try driver.send(Operation.request, host: 5000, guest: 900)
    #expect(try driver.packets().map(\.operation) == [Operation.reset])
    #expect(driver.device.streamCount == 0)
  }

  @Test func hostConnects() throws {
    let driver = VsockDriver()
    let endpoint = FakeEndpoint()
    endpoint.input = Array("hello".utf8)
    let stream = try #require(driver.device.connect(toGuestPort: 1024, endpoint))
    let request = try #require(try driver.packets().first)
    #expect(request.operation == Operation.request && request.header.destinationPort == 1024)
    #expect(request.header.sourcePort >= 1 << 30)
    #expect(endpoint.openedAs == nil)
    try driver.send(Operation.response, host: stream.hostPort, guest: 1024)
    #expect(endpoint.openedAs == stream.hostPort)
    let data = try driver.packets()
    #expect(data.map(\.operation) == [Operation.data])
    #expect(data.first?.payload == Array("hello".utf8))
  }

  @Test func hostIsRefused() throws {
    let driver = VsockDriver()
    let endpoint = FakeEndpoint()
    let stream = try #require(driver.device.connect(toGuestPort: 1024, endpoint))
    _ = try driver.packets()
    try driver.send(Operation.reset, host: stream.hostPort, guest: 1024)
    #expect(endpoint.closed == 1 && endpoint.openedAs == nil)
    #expect(driver.device.streamCount == 0)
    #expect(try driver.packets().isEmpty)  // A reset is never answered.
  }

  @Test func hostLeavesBeforeTheAnswer() throws {
    let driver = VsockDriver()
    let endpoint = FakeEndpoint()
    let stream = try #require(driver.device.connect(toGuestPort: 1024, endpoint))
    _ = try driver.packets()
    driver.device.hungUp(stream)
    #expect(try driver.packets().map(\.operation) == [Operation.reset])
    #expect(endpoint.closed == 1)
    // The answer crosses the reset.
    try driver.send(Operation.response, host: stream.hostPort, guest: 1024)
    #expect(try driver.packets().map(\.operation) == [Operation.reset])
  }

  @Test func requestThatNeverLeftIsForgottenInSilence() throws {
    let driver = VsockDriver(buffers: 0)
    let endpoint = FakeEndpoint()
    let stream = try #require(driver.device.connect(toGuestPort: 1024, endpoint))
    driver.device.hungUp(stream)
    driver.offerBuffers(4)
    try driver.device.process(driver.receive.deviceSide)
    #expect(try driver.packets().isEmpty)
    #expect(driver.device.streamCount == 0 && endpoint.closed == 1)
  }

  @Test func nobodyConnectsWithoutADriver() {
    let device = VsockDevice(guestCID: 3)
    #expect(device.connect(toGuestPort: 1, FakeEndpoint()) == nil)
  }

  @Test func streamsAreBounded() throws {
    let driver = VsockDriver()
    for port in 0..<UInt32(VsockDevice.maximumStreams) {
      try driver.send(Operation.request, host: 5000, guest: port)
      _ = try driver.packets()
    }
    #expect(driver.device.streamCount == VsockDevice.maximumStreams)
    try driver.send(Operation.request, host: 5000, guest: 5_000_000)
    #expect(try driver.packets().map(\.operation) == [Operation.reset])
    #expect(driver.device.connect(toGuestPort: 1, FakeEndpoint()) == nil)
    // The first ones may have much under way, the rest less.
    #expect(driver.backend.endpoints[0].stream?.credit.allocation == VsockStreamTable.largeAllocation)
    #expect(driver.backend.endpoints[100].stream?.credit.allocation == VsockStreamTable.smallAllocation)
  }

  // MARK: Data

  @Test(arguments: [1, 2, 3]) func guestSends(pieces: Int) throws {
    let driver = VsockDriver()
    driver.pieces = pieces
    let endpoint = try driver.connect()
    let payload = (0..<60000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    try driver.send(Operation.data, host: 5000, guest: 900, payload)
    try driver.send(Operation.data, host: 5000, guest: 900, [1, 2, 3])
    #expect(endpoint.output == payload + [1, 2, 3])
  }

  @Test func shortTransfersLoseNothing() throws {
    let driver = VsockDriver()
    let endpoint = try driver.connect()
    endpoint.step = 999
    let payload = (0..<50000).map { UInt8(truncatingIfNeeded: $0 &* 13) }
    try driver.send(Operation.data, host: 5000, guest: 900, payload)
    #expect(endpoint.output == payload)
    endpoint.input = payload
    driver.device.readable(try #require(endpoint.stream))
    #expect(try driver.packets().filter { $0.operation == Operation.data }.flatMap(\.payload) == payload)
  }

  @Test func blockedHostKeepsOrderAndBounds() throws {
    let driver = VsockDriver()
    let endpoint = try driver.connect()
    endpoint.room = 10_000
    let payload = (0..<65536).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    for _ in 0..<4 { try driver.send(Operation.data, host: 5000, guest: 900, payload) }
    #expect(endpoint.output.count == 10_000)
    let stream = try #require(endpoint.stream)
    #expect(stream.backlog.count == 4 * 65536 - 10_000)
    endpoint.room = .max
    driver.device.writable(stream)
    #expect(endpoint.output == payload + payload + payload + payload)
    // The credit that came free is announced.
    let update = try #require(try driver.packets().last)
    #expect(update.operation == Operation.creditUpdate && update.header.forwardCount == 4 * 65536)
  }

  @Test func exceedingTheCreditIsReset() throws {
    let driver = VsockDriver()
    let endpoint = try driver.connect()
    endpoint.room = 0
    let payload = [UInt8](repeating: 1, count: 65536)
    for _ in 0..<4 { try driver.send(Operation.data, host: 5000, guest: 900, payload) }
    #expect(try driver.packets().isEmpty)
    try driver.send(Operation.data, host: 5000, guest: 900, [1])
    #expect(try driver.packets().map(\.operation) == [Operation.reset])
    // What came within the credit still goes out.
    #expect(driver.device.streamCount == 1 && endpoint.closed == 0)
    endpoint.room = .max
    driver.device.writable(try #require(endpoint.stream))
    #expect(endpoint.output.count == 4 * 65536 && endpoint.closed == 1)
    #expect(driver.device.streamCount == 0)
  }

  @Test func creditIsAnnouncedInTime() throws {
    let driver = VsockDriver()
    _ = try driver.connect()
    let payload = [UInt8](repeating: 1, count: 32768)
    var updates: [UInt32] = []
    for _ in 0..<64 {
      try driver.send(Operation.data, host: 5000, guest: 900, payload)
      updates += try driver.packets().filter { $0.operation == Operation.creditUpdate }.map(\.header.forwardCount)
    }
    // 2 MiB in packets of 32 KiB, an update each 128 KiB.
    #expect(updates == (1...16).map { $0 * 131072 })
  }

  @Test func creditIsToldOnRequest() throws {
    let driver = VsockDriver()
    _ = try driver.connect()
    try driver.send(Operation.data, host: 5000, guest: 900, [1, 2, 3])
    try driver.send(Operation.creditRequest, host: 5000, guest: 900)
    let answers = try driver.packets()
    #expect(answers.map(\.operation) == [Operation.creditUpdate])
    #expect(answers.first?.header.forwardCount == 3)
  }

  @Test func hostHeedsTheGuestsCredit() throws {
    let driver = VsockDriver()
    driver.allocation = 10_000
    let endpoint = try driver.connect()
    let payload = (0..<25_000).map { UInt8(truncatingIfNeeded: $0 &* 11) }
    endpoint.input = payload
    driver.device.readable(try #require(endpoint.stream))
    var packets = try driver.packets()
    #expect(packets.last?.operation == Operation.creditRequest)
    var got = packets.flatMap(\.payload)
    #expect(got.count == 10_000)
    // Asked once, and no more until there is an answer.
    driver.device.readable(try #require(endpoint.stream))
    #expect(try driver.packets().isEmpty)
    while got.count < payload.count {
      driver.forwarded = UInt32(got.count)
      try driver.send(Operation.creditUpdate, host: 5000, guest: 900)
      packets = try driver.packets()
      #expect(packets.flatMap(\.payload).count <= 10_000)
      got += packets.flatMap(\.payload)
    }
    #expect(got == payload)
  }

  @Test func guestThatAcknowledgesTheFutureIsReset() throws {
    let driver = VsockDriver()
    let endpoint = try driver.connect()
    driver.forwarded = 1
    try driver.send(Operation.creditUpdate, host: 5000, guest: 900)
    #expect(try driver.packets().map(\.operation) == [Operation.reset])
    #expect(endpoint.closed == 1)
  }

  @Test func dataTakesTurns() throws {
    let driver = VsockDriver(buffers: 0)
    var endpoints: [FakeEndpoint] = []
    for port in 0..<3 as Range<UInt32> {
      driver.offerBuffers(1)
      endpoints.append(try driver.connect(guest: 900 + port))
      #expect(try driver.packets(refill: false).isEmpty)
    }
    for endpoint in endpoints {
      endpoint.input = [UInt8](repeating: 1, count: 100_000)
      driver.device.readable(try #require(endpoint.stream))
    }
    driver.offerBuffers(60)
    try driver.device.process(driver.receive.deviceSide)
    let ports = try driver.packets(refill: false).map(\.header.destinationPort)
    // The buffers left over from connecting went to whoever was ready first; from then on it goes round by fives.
    for port in 900..<903 as Range<UInt32> {
      #expect((15...25).contains(ports.suffix(60).count { $0 == port }), "\(ports)")
    }
    #expect(Set(ports.suffix(15)) == [900, 901, 902])
  }

  @Test func manyStreamsCarryTheirOwn() throws {
    let driver = VsockDriver()
    var endpoints: [FakeEndpoint] = []
    for port in 0..<200 as Range<UInt32> { endpoints.append(try driver.connect(guest: port)) }
    for (index, endpoint) in endpoints.enumerated() {
      endpoint.input = [UInt8](repeating: UInt8(index), count: 3000 + index)
      driver.device.readable(try #require(endpoint.stream))
    }
    var got: [UInt32: [UInt8]] = [:]
    for packet in try driver.packets() { got[packet.header.destinationPort, default: []] += packet.payload }
    for (index, _) in endpoints.enumerated() {
      #expect(got[UInt32(index)] == [UInt8](repeating: UInt8(index), count: 3000 + index))
    }
  }

  @Test func interruptsAreBatched() throws {
    let driver = VsockDriver()
    let endpoint = try driver.connect()
    endpoint.input = [UInt8](repeating: 1, count: 60 * 4096)
    let before = driver.receive.interrupts.count
    driver.device.readable(try #require(endpoint.stream))
    #expect(driver.receive.interrupts.count - before <= 2)
    #expect(try driver.packets().flatMap(\.payload).count == 60 * 4096)
  }

  // MARK: Ends

  @Test func guestEndsItsHalf() throws {
    let driver = VsockDriver()
    let endpoint = try driver.connect()
    try driver.send(Operation.data, host: 5000, guest: 900, [1, 2])
    try driver.send(Operation.shutdown, host: 5000, guest: 900, flags: Shutdown.send)
    #expect(endpoint.outputEnded && endpoint.closed == 0)
    // The other half goes on.
    endpoint.input = [7]
    driver.device.readable(try #require(endpoint.stream))
    #expect(try driver.packets().flatMap(\.payload) == [7])
    // But not the one that ended.
    try driver.send(Operation.data, host: 5000, guest: 900, [3])
    #expect(try driver.packets().map(\.operation) == [Operation.reset])
  }

  @Test func guestEndsItsHalfBehindABacklog() throws {
    let driver = VsockDriver()
    let endpoint = try driver.connect()
    endpoint.room = 1
    try driver.send(Operation.data, host: 5000, guest: 900, [1, 2, 3])
    try driver.send(Operation.shutdown, host: 5000, guest: 900, flags: Shutdown.send)
    #expect(!endpoint.outputEnded)
    endpoint.room = .max
    driver.device.writable(try #require(endpoint.stream))
    #expect(endpoint.output == [1, 2, 3] && endpoint.outputEnded)
  }

  @Test func hostEndsItsHalf() throws {
    let driver = VsockDriver()
    let endpoint = try driver.connect()
    endpoint.input = [1, 2]
    endpoint.inputEnds = true
    driver.device.readable(try #require(endpoint.stream))
    let packets = try driver.packets()
    #expect(packets.map(\.operation) == [Operation.data, Operation.shutdown])
    #expect(packets.last?.header.flags == Shutdown.send)
    try driver.send(Operation.data, host: 5000, guest: 900, [9])
    #expect(endpoint.output == [9] && endpoint.closed == 0)
  }

  @Test func guestCloses() throws {
    let driver = VsockDriver()
    let endpoint = try driver.connect()
    try driver.send(Operation.data, host: 5000, guest: 900, [1])
    try driver.send(Operation.shutdown, host: 5000, guest: 900, flags: Shutdown.both)
    #expect(try driver.packets().map(\.operation) == [Operation.reset])
    #expect(endpoint.output == [1] && endpoint.closed == 1 && driver.device.streamCount == 0)
  }

  @Test func guestClosesBehindABacklog() throws {
    let driver = VsockDriver()
    let endpoint = try driver.connect()
    endpoint.room = 0
    try driver.send(Operation.data, host: 5000, guest: 900, [1, 2, 3])
    try driver.send(Operation.shutdown, host: 5000, guest: 900, flags: Shutdown.both)
    #expect(try driver.packets().isEmpty && endpoint.closed == 0)
    // Linux gives up after eight seconds; the data still arrives.
    try driver.send(Operation.reset, host: 5000, guest: 900)
    #expect(endpoint.closed == 0 && driver.device.streamCount == 1)
    endpoint.room = .max
    driver.device.writable(try #require(endpoint.stream))
    #expect(endpoint.output == [1, 2, 3] && endpoint.closed == 1 && driver.device.streamCount == 0)
    #expect(try driver.packets().isEmpty)
  }

  @Test func guestStopsReading() throws {
    let driver = VsockDriver()
    let endpoint = try driver.connect()
    try driver.send(Operation.shutdown, host: 5000, guest: 900, flags: Shutdown.receive)
    #expect(endpoint.inputStopped)
    endpoint.input = [1]
    driver.device.readable(try #require(endpoint.stream))
    #expect(try driver.packets().isEmpty)
    try driver.send(Operation.data, host: 5000, guest: 900, [5])
    #expect(endpoint.output == [5])
    driver.device.hungUp(try #require(endpoint.stream))
    #expect(try driver.packets().map(\.header.flags) == [Shutdown.both])
  }

  @Test func hostHangsUpAfterItsLastWords() throws {
    let driver = VsockDriver()
    let endpoint = try driver.connect()
    endpoint.input = [4, 5, 6]
    endpoint.inputEnds = true
    driver.device.hungUp(try #require(endpoint.stream))
    let packets = try driver.packets()
    #expect(packets.flatMap(\.payload) == [4, 5, 6])
    #expect(packets.last?.operation == Operation.shutdown && packets.last?.header.flags == Shutdown.both)
    #expect(endpoint.closed == 1)
    // What crosses it is dropped, until the guest answers.
    try driver.send(Operation.data, host: 5000, guest: 900, [1])
    #expect(try driver.packets().isEmpty && endpoint.output.isEmpty)
    try driver.send(Operation.reset, host: 5000, guest: 900)
    #expect(driver.device.streamCount == 0)
  }

  @Test func hostThatTakesNoMoreIsToldToTheGuest() throws {
    let driver = VsockDriver()
    let endpoint = try driver.connect()
    endpoint.fails = true
    try driver.send(Operation.data, host: 5000, guest: 900, [1])
    #expect(try driver.packets().map(\.header.flags) == [Shutdown.receive])
    driver.device.readable(try #require(endpoint.stream))
    #expect(try driver.packets().map(\.header.flags) == [Shutdown.both])
    #expect(endpoint.closed == 1)
  }

  @Test func resetOfTheDeviceClosesAll() throws {
    let driver = VsockDriver()
    let endpoint = try driver.connect()
    let blocked = try driver.connect(guest: 901)
    blocked.room = 0
    try driver.send(Operation.data, host: 5000, guest: 901, [1])
    driver.device.reset()
    #expect(endpoint.closed == 1 && blocked.closed == 0)
    blocked.room = 1
    driver.device.writable(try #require(blocked.stream))
    #expect(blocked.output == [1] && blocked.closed == 1 && driver.device.streamCount == 0)
  }

  // MARK: Hostile drivers

  @Test(arguments: [0, 2, 4, 5, 6, 7, 8, 0xffff] as [UInt16])
  func packetsWithoutAStreamAreReset(operation: UInt16) throws {
    let driver = VsockDriver()
    try driver.send(operation, host: 77, guest: 88)
    let answers = try driver.packets()
    #expect(answers.map(\.operation) == [Operation.reset])
    #expect(answers.first?.header.sourcePort == 77 && answers.first?.header.destinationPort == 88)
  }

  @Test(arguments: [0, 1, 2, 8, 0xffff] as [UInt16])
  func nonsenseOnAStreamIsReset(operation: UInt16) throws {
    let driver = VsockDriver()
    let endpoint = try driver.connect()
    try driver.send(operation, host: 5000, guest: 900)
    #expect(try driver.packets().map(\.operation) == [Operation.reset])
    #expect(endpoint.closed == 1 && driver.device.streamCount == 0)
  }

  @Test func strangeAddressesAndTypes() throws {
    let driver = VsockDriver()
    var header = driver.header(Operation.request, host: 1, guest: 2)
    header.sourceCID = 99
    try driver.send(header)
    #expect(try driver.packets().isEmpty)
    header = driver.header(Operation.request, host: 1, guest: 2)
    header.destinationCID = 5
    try driver.send(header)
    #expect(try driver.packets().map(\.operation) == [Operation.reset])
    header = driver.header(Operation.request, host: 1, guest: 2)
    header.type = 2
    try driver.send(header)
    let answer = try #require(try driver.packets().first)
    #expect(answer.operation == Operation.reset && answer.header.type == 2)
    #expect(driver.backend.ports.isEmpty)
  }

  @Test func lengthBeyondTheBuffersIsReset() throws {
    let driver = VsockDriver()
    _ = try driver.connect()
    try driver.send(driver.header(Operation.data, host: 5000, guest: 900, length: 4), [1, 2, 3])
    #expect(try driver.packets().map(\.operation) == [Operation.reset])
    _ = try driver.connect()
    try driver.send(driver.header(Operation.data, host: 5000, guest: 900, length: 0xffff_ffff), [1, 2, 3])
    #expect(try driver.packets().map(\.operation) == [Operation.reset])
  }

  @Test func responseThatNobodyAskedFor() throws {
    let driver = VsockDriver(buffers: 0)
    let endpoint = FakeEndpoint()
    let stream = try #require(driver.device.connect(toGuestPort: 1024, endpoint))
    // The request is still here, so this answer is a guess.
    try driver.send(Operation.response, host: stream.hostPort, guest: 1024)
    #expect(endpoint.closed == 1 && endpoint.openedAs == nil)
  }

  @Test func guestThatTakesNoAnswersIsNotAsked() throws {
    let driver = VsockDriver(buffers: 0)
    for port in 0..<100 as Range<UInt32> { driver.offer(driver.header(Operation.data, host: 1, guest: port)) }
    try driver.device.process(driver.transmit.deviceSide)
    while driver.transmit.reap() != nil {}
    for port in 100..<200 as Range<UInt32> { driver.offer(driver.header(Operation.data, host: 1, guest: port)) }
    try driver.device.process(driver.transmit.deviceSide)
    var taken = 0
    while driver.transmit.reap() != nil { taken += 1 }
    #expect(taken == 28)  // 128 answers wait; the rest of the packets does too.
    driver.offerBuffers(64)
    try driver.device.process(driver.receive.deviceSide)
    let answers = try driver.packets()
    #expect(answers.map(\.header.destinationPort) == Array(0..<200))
  }

  @Test func headerThatIsTooShortNeedsAReset() throws {
    let driver = VsockDriver()
    let endpoint = try driver.connect()
    driver.transmit.offer([.readable(0x30_0000, 43)])
    #expect(throws: QueueFault.request) { try driver.device.process(driver.transmit.deviceSide) }
    #expect(endpoint.closed == 1)
    #expect(throws: QueueFault.request) { try driver.device.process(driver.receive.deviceSide) }
    #expect(driver.device.connect(toGuestPort: 1, FakeEndpoint()) == nil)
  }

  @Test func bufferThatIsTooSmallNeedsAReset() throws {
    let driver = VsockDriver(buffers: 0)
    driver.offerBuffers(1, size: 44)
    #expect(throws: QueueFault.request) { try driver.send(Operation.request, host: 1, guest: 2) }
  }

  @Test func faultMetByAnEndpointWaitsForTheQueue() throws {
    let driver = VsockDriver(buffers: 1)
    let endpoint = try driver.connect()
    _ = try driver.packets(refill: false)
    driver.receive.publish(500)  // No such descriptor.
    endpoint.input = [1]
    driver.device.readable(try #require(endpoint.stream))
    driver.device.readable(try #require(endpoint.stream))
    #expect(endpoint.closed == 1)
    #expect(throws: QueueFault.descriptorIndex(500)) { try driver.device.process(driver.transmit.deviceSide) }
    driver.device.reset()
  }

  @Test func configurationIsTheCID() {
    #expect(VsockDevice(guestCID: 0x1_0000_0203).configuration == [3, 2, 0, 0, 1, 0, 0, 0])
  }
}
