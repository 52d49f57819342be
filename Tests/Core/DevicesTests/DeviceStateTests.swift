import GuestMemory
import LittleEndian
import Testing
import VirtioTesting

@testable import Devices
@testable import State
@testable import Virtio

/// Devices whose machine ends and goes on elsewhere: their driver sees nothing of it but an interrupt too many.
struct DeviceStateTests {
  private static let savable: [DeviceKind] = [.network, .block, .console, .entropy, .balloon, .persistentMemory]

  private func save(_ bench: Bench) throws -> [UInt8] {
    (bench.specimen.device as? BlockDevice)?.settle()
    var writer = StateWriter()
    try bench.driver.transport.save(to: &writer, place: 3)
    return writer.finish()
  }

  private func restore(_ state: [UInt8], _ bench: Bench) throws(StateError) {
    var reader = try StateReader(state)
    try bench.driver.transport.restore(from: &reader, place: 3)
    try reader.finish()
  }

  /// Everything that a driver can read.
  private func registers(_ bench: Bench) -> [UInt64] {
    var values: [UInt64] = []
    for offset in stride(from: 0, to: bench.driver.reach, by: 4) {
      // Reading that one clears it.
      if bench.driver is PCIDriver, offset == 0x2800 { continue }
      values.append(bench.driver.read(anywhere: offset, width: 4))
    }
    return values
  }

  @Test(arguments: savable, TransportKind.allCases)
  func goesOnElsewhere(kind: DeviceKind, by transport: TransportKind) throws {
    for hinder in [\Specimen.holdsBack, \.putsOff] {
      let old = Bench(kind, transport)
      old.start()
      try old.expectService()
      old.specimen[keyPath: hinder](true)
      for _ in 0..<3 { try old.offer() }
      old.driver.notify(queue: UInt32(old.specimen.request.queue))
      old.owner.serve()
      let state = try save(old)
      let new = Bench(kind, transport, after: old)
      try restore(state, new)
      #expect(registers(new) == registers(old))
      #expect(new.specimen.device.configuration == old.specimen.device.configuration)
      #expect(try save(new) == state)
      // Nothing is lost, and nothing done twice.
      let interrupts = new.driver.interruptCount
      new.driver.transport.wake()
      new.owner.serve()
      #expect(new.driver.interruptCount > interrupts)
      var answers = 0
      while new.rings[new.specimen.request.queue].reap() != nil { answers += 1 }
      #expect(answers == 3)
      #expect(new.driver.transport.queues.allSatisfy { $0.underWay == 0 })
      try new.expectService()
      // And it can be reset.
      new.start(.version1)
      try new.expectService()
    }
  }

  /// At each step of a driver's way to it.
  @Test(arguments: savable, TransportKind.allCases)
  func beforeItRuns(kind: DeviceKind, by transport: TransportKind) throws {
    let steps: [(Bench) -> Void] = [
      { _ in }, { $0.driver.writeStatus(1) }, { $0.driver.negotiate($0.offered) }, { $0.setUp() },
      { $0.driver.negotiate([]) },
      {
        $0.setUp()
        $0.driver.setUp(queue: 0, size: 3, at: 0x1000)
        $0.driver.writeStatus(15)
      },
      {
        // The others before it are good.
        $0.setUp()
        $0.driver.setUp(queue: UInt32($0.rings.count - 1), size: 3, at: 0x1000)
        $0.driver.writeStatus(15)
      },
    ]
    for (index, step) in steps.enumerated() {
      let old = Bench(kind, transport)
      step(old)
      let new = Bench(kind, transport, after: old)
      try restore(try save(old), new)
      #expect(registers(new) == registers(old), "step \(index)")
      let isTold = tellsOfConfiguration(new) { new.driver.transport.wake() }
      #expect(isTold == (index >= 5), "step \(index)")
      new.owner.serve()
      if index == 3 {
        new.driver.writeStatus(15)
        try new.expectService()
      }
      new.start()
      try new.expectService()
    }
  }

  @Test(arguments: TransportKind.allCases)
  func statisticsThatAreWithTheDevice(by transport: TransportKind) throws {
    let old = Bench(.balloon, transport)
    old.start()
    try old.memory.write([6, 0] + littleEndian(UInt64(7)), at: 0x9_0000)
    old.rings[2].offer([.readable(0x9_0000, 10)])
    old.driver.notify(queue: 2)
    old.owner.serve()
    (old.specimen.device as? BalloonDevice)?.target = 1 << 20
    let new = Bench(.balloon, transport, after: old)
    try restore(try save(old), new)
    let device = try #require(new.specimen.device as? BalloonDevice)
    #expect(device.target == 1 << 20 && device.statistics.available == 7)
    #expect(new.rings[2].reap() == nil && device.askForStatistics())
    #expect(new.rings[2].reap() != nil)
  }

  /// Buffers for frames that are to come, in their order, and what the driver wants of them.
  @Test(arguments: TransportKind.allCases)
  func buffersThatAreWithTheCard(by transport: TransportKind) throws {
    let old = Bench(.network, transport)
    old.start()
    // MAC_TABLE_SET with two tables of one, then promiscuous mode off: so that it is the tables that count.
    let table: [UInt8] = [1, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 9, 1, 0, 0, 0, 1, 0, 0, 0, 0, 9]
    for (index, command) in [table, [0, 0, 0]].enumerated() {
      let place: GuestAddress = 0xa_0000 + 0x100 * UInt64(index)
      try old.memory.write(command, at: place)
      old.rings[4].offer([.readable(place, UInt32(command.count)), .writable(place + 0x80, 1)])
    }
    old.driver.notify(queue: 4)
    old.rings[0].offer([.writable(0x9_0000, 2000)])
    old.driver.notify(queue: 0)
    old.owner.serve()
    let new = Bench(.network, transport, after: old)
    let state = try save(old)
    try restore(state, new)
    #expect(try save(new) == state)
    #expect(new.driver.transport.queues[0].underWay == 1)
    new.specimen.hostActs()
    #expect(new.rings[0].reap()?.written == 200)
  }

  /// A driver may do what it likes to a chain that the device has: it costs it the device.
  @Test(arguments: [DeviceKind.block, .console], TransportKind.allCases)
  func chainsThatWereBrokenMeanwhile(kind: DeviceKind, by transport: TransportKind) throws {
    let old = Bench(kind, transport)
    old.start()
    old.specimen.holdsBack(true)
    old.specimen.putsOff(true)
    let ring = old.rings[old.specimen.request.queue]
    try old.offer()
    old.driver.notify(queue: UInt32(old.specimen.request.queue))
    old.owner.serve()
    let state = try save(old)
    for index in 0..<ring.size { ring.writeDescriptor(index, address: 1 << 62, length: 64, flags: 0, next: 0) }
    let new = Bench(kind, transport, after: old)
    try restore(state, new)
    try expectReset(new)
  }

  /// Nor is one that it made too small for the device any more, and the next state is one that can be restored.
  @Test(arguments: [DeviceKind.vsock, .network], TransportKind.allCases)
  func chainsThatWereMadeTooSmallMeanwhile(kind: DeviceKind, by transport: TransportKind) throws {
    let old = kind == .vsock ? try idleVsock(transport) : Bench(kind, transport)
    if kind == .network {
      old.start()
      for index in 0..<3 as Range<UInt64> { old.rings[0].offer([.writable(0x9_0000 + 0x1000 * index, 2000)]) }
      old.driver.notify(queue: 0)
      old.owner.serve()
    }
    #expect(old.driver.transport.queues[0].underWay > 0)
    let state = try save(old)
    let ring = old.rings[0]
    for index in 0..<ring.size { ring.writeDescriptor(index, address: 0x9_0000, length: 4, flags: 2, next: 0) }
    let new = Bench(kind, transport, after: old)
    try restore(state, new)
    #expect(new.driver.readStatus() == 15 | 64)
    let next = Bench(kind, transport, after: old)
    try restore(try save(new), next)
    try expectReset(next)
  }

  /// A chain that is no request of the device's: it is under way, if it could be walked, and nobody has it.
  @Test(arguments: [false, true], TransportKind.allCases)
  func requestsThatAreNone(areFoundByTheHost: Bool, by transport: TransportKind) throws {
    for (kind, number, chain) in [
      (.network, 0, [.writable(0x9_0000, 4)]), (.network, 1, [.writable(0x9_0000, 64)]),
      (.entropy, 0, [.readable(0x9_0000, 4)]), (.balloon, 0, [.readable(0x9_0000, 1 << 19)]),
      (.persistentMemory, 0, [.readable(0x9_0000, 1)]), (.block, 0, [.readable(0x9_0000, 1)]),
      (.console, 0, [.readable(0x9_0000, 1)]),
    ] as [(DeviceKind, Int, [DriverBuffer])] where !areFoundByTheHost || kind == .network {
      let old = Bench(kind, transport)
      old.start()
      let queue = old.driver.transport.queues[number]
      old.rings[number].offer(chain)
      if let card = old.specimen.device as? NetworkDevice, areFoundByTheHost {
        // Nobody has told the driver yet.
        if number == 0 { card.readable(pair: 0) } else { card.writable(pair: 0) }
        #expect(old.driver.readStatus() == 15)
      } else {
        old.driver.notify(queue: UInt32(number))
        old.owner.serve()
        #expect(old.driver.readStatus() == 15 | 64)
      }
      // A balloon's queue does not walk what is longer than its requests.
      #expect(queue.underWay == (kind == .balloon ? 0 : 1), "\(kind)")
      let new = Bench(kind, transport, after: old)
      try restore(try save(old), new)
      let next = Bench(kind, transport, after: old)
      try restore(try save(new), next)
      next.driver.transport.wake()
      next.owner.serve()
      #expect(next.driver.readStatus() == 15 | 64)
      next.start()
      try next.expectService()
    }
  }

  /// A driver that broke its queue before finds the device as it would have, and the state is one.
  @Test(arguments: [DeviceKind.network, .block, .console], TransportKind.allCases)
  func queuesThatWereDeadBefore(kind: DeviceKind, by transport: TransportKind) throws {
    let old = Bench(kind, transport)
    old.start()
    old.specimen.holdsBack(true)
    old.specimen.putsOff(true)
    let number = old.specimen.request.queue
    try old.offer()
    old.driver.notify(queue: UInt32(number))
    old.owner.serve()
    let queue = old.driver.transport.queues[number]
    #expect(queue.underWay == 1)
    old.rings[number].publish(0xffff)
    var chain = DescriptorChain()
    #expect(throws: QueueFault.self) { try queue.pop(&chain) }
    #expect(!queue.isLive)
    let new = Bench(kind, transport, after: old)
    try restore(try save(old), new)
    try expectReset(new)
  }

  /// Its driver is told that the device needs a reset, and is served after one.
  private func expectReset(_ bench: Bench) throws {
    #expect(bench.driver.readStatus() == 15 | 64)
    #expect(tellsOfConfiguration(bench) { bench.driver.transport.wake() })
    bench.owner.serve()
    bench.start()
    try bench.expectService()
  }

  /// A device of connections that has none, and has taken some buffers to fill them.
  private func idleVsock(_ transport: TransportKind) throws -> Bench {
    let old = Bench(.vsock, transport)
    old.start()
    for index in 0..<8 { old.rings[0].offer([.writable(0x8_0000 + 0x1000 * UInt64(index), 0x1000)]) }
    let device = try #require(old.specimen.device as? VsockDevice)
    let endpoint = FakeEndpoint()
    let stream = try #require(device.connect(toGuestPort: 7, endpoint))
    endpoint.stream = stream
    for operation in [VsockHeader.Operation.response, VsockHeader.Operation.reset] {
      try send(operation, of: stream, to: old)
      endpoint.input = [1, 2, 3]
      device.readable(stream)
    }
    #expect(endpoint.closed == 1 && old.driver.transport.queues[0].underWay > 0)
    while old.rings[0].reap() != nil {}
    return old
  }

  /// Without a connection there are buffers, some of which it has taken to fill them.
  @Test(arguments: TransportKind.allCases)
  func vsockThatIsIdle(by transport: TransportKind) throws {
    let old = try idleVsock(transport)
    let state = try save(old)
    let new = Bench(.vsock, transport, after: old)
    try restore(state, new)
    #expect(registers(new) == registers(old))
    #expect(try save(new) == state)
    new.start()
    try new.expectService()
  }

  /// A packet without data from port 7 of the guest.
  private func send(_ operation: UInt16, of stream: VsockStream, to bench: Bench) throws {
    var header = VsockHeader()
    header.sourceCID = VsockDriver.guestCID
    header.destinationCID = VsockDevice.hostCID
    (header.sourcePort, header.destinationPort) = (7, stream.hostPort)
    header.type = VsockHeader.stream
    header.operation = operation
    header.bufferAllocation = 1 << 16
    try bench.memory.write(header.bytes, at: 0x9_0000)
    bench.rings[1].offer([.readable(0x9_0000, UInt32(header.bytes.count))])
    bench.driver.notify(queue: 1)
    bench.owner.serve()
    while bench.rings[1].reap() != nil {}
  }

  /// The streams stay with the machine that was saved. The guest of the other one is told, and gets no packet before it has taken that.
  @Test(arguments: TransportKind.allCases)
  func vsockWithStreams(by transport: TransportKind) throws {
    let old = Bench(.vsock, transport)
    old.start()
    for index in 0..<24 { old.rings[0].offer([.writable(0xa_0000 + 0x1000 * UInt64(index), 0x1000)]) }
    let device = try #require(old.specimen.device as? VsockDevice)
    let endpoint = FakeEndpoint()
    let stream = try #require(device.connect(toGuestPort: 7, endpoint))
    endpoint.stream = stream
    try send(VsockHeader.Operation.response, of: stream, to: old)
    endpoint.input = Array(repeating: 5, count: 100)
    device.readable(stream)
    while old.rings[0].reap() != nil {}
    let state = try save(old)
    #expect(device.streamCount == 1 && endpoint.closed == 0)

    var new = Bench(.vsock, transport, after: old)
    try restore(state, new)
    new.driver.transport.wake()
    new.owner.serve()
    // There is no buffer for the event; what comes meanwhile waits.
    let another = FakeEndpoint()
    #expect((new.specimen.device as? VsockDevice)?.connect(toGuestPort: 8, another) != nil)
    try send(VsockHeader.Operation.creditUpdate, of: stream, to: new)
    #expect(new.rings[0].reap() == nil)
    var heads: [UInt16] = []
    for place in 0..<4 { heads.append(new.rings[2].offer([.writable(0xc_0000 + 8 * UInt64(place), 4)])) }
    try new.memory.write([UInt8](repeating: 0xff, count: 32), at: 0xc_0000)
    new.driver.notify(queue: 2)
    new.owner.serve()
    let told = try #require(new.rings[2].reap())
    #expect(told.head == heads[0] && told.written == 4)
    #expect(try new.memory.read(count: 6, at: 0xc_0000) == [0, 0, 0, 0, 0xff, 0xff])
    #expect(new.rings[2].reap() == nil && new.rings[0].reap() == nil)

    // Saved before the guest has taken it, it is told once more, in a buffer that the device had already.
    let unheard = try save(new)
    new = Bench(.vsock, transport, after: new)
    try restore(unheard, new)
    #expect(try save(new) == unheard)
    new.driver.transport.wake()
    new.owner.serve()
    #expect(new.rings[2].reap()?.head == heads[1])
    try send(VsockHeader.Operation.creditUpdate, of: stream, to: new)
    #expect((new.specimen.device as? VsockDevice)?.connect(toGuestPort: 8, another) != nil)
    #expect(new.rings[0].reap() == nil)
    new.rings[2].offer([.writable(0xc_0000, 4)])
    new.driver.notify(queue: 2)
    new.owner.serve()
    // A reset for the stream that is none any more, and the request of the new one.
    #expect(new.rings[0].reap() != nil && new.rings[0].reap() != nil && new.rings[0].reap() == nil)
    #expect(new.rings[2].reap() == nil)
    try new.expectService()
  }

  /// An event has its room.
  @Test(arguments: TransportKind.allCases)
  func eventsOfAVsockNeedRoom(by transport: TransportKind) throws {
    let old = Bench(.vsock, transport)
    old.start()
    let new = Bench(.vsock, transport, after: old)
    try restore(try save(old), new)
    new.driver.transport.wake()
    new.rings[2].offer([.writable(0xc_0000, 3)])
    new.driver.notify(queue: 2)
    new.owner.serve()
    #expect(new.driver.readStatus() == 15 | 64)
    let next = Bench(.vsock, transport, after: new)
    try restore(try save(new), next)
    next.driver.transport.wake()
    next.owner.serve()
    #expect(next.driver.readStatus() == 15 | 64)
    next.start()
    try next.expectService()
  }

  /// Its rings are made when it begins to run.
  @Test(arguments: TransportKind.allCases)
  func noQueueIsLiveWhereNothingRuns(by transport: TransportKind) throws {
    let old = Bench(.entropy, transport)
    old.setUp()
    try old.driver.transport.activate(old.driver.transport.queues[0], old.offered)
    let state = try save(old)
    let new = Bench(.entropy, transport, after: old)
    #expect(throws: StateError.value(Transport.queueTag, id: 0)) { try restore(state, new) }
  }

  /// Whether a driver is told to look at the configuration.
  private func tellsOfConfiguration(_ bench: Bench, _ body: () -> Void) -> Bool {
    func told() -> Int {
      switch bench.driver {
      case let pci as PCIDriver: pci.sink.messages.count { $0.data == 0 }
      case let mmio as MMIODriver: Int(mmio.read(MMIOTransport.interruptStatusOffset) >> 1 & 1)
      default: 0
      }
    }
    (bench.driver as? MMIODriver)?.write(2, MMIOTransport.interruptAcknowledgeOffset)
    let before = told()
    body()
    return told() > before
  }

  @Test(arguments: TransportKind.allCases)
  func treeThatNobodyHasMounted(by transport: TransportKind) throws {
    let old = Bench(.fileSystem, transport)
    old.start()
    let state = try save(old)
    let new = Bench(.fileSystem, transport, after: old)
    try restore(state, new)
    #expect(registers(new) == registers(old))
    #expect(try save(new) == state)
    try new.expectService()
  }

  @Test func itIsOfTheSameDevice() throws {
    let state = try save(Bench(.entropy, .mmio))
    #expect(throws: StateError.value(Transport.tag, id: 1)) { try restore(state, Bench(.entropy, .pci)) }
    #expect(throws: StateError.value(Transport.tag, id: 2)) { try restore(state, Bench(.persistentMemory, .mmio)) }
  }

  /// Whatever a state holds, it is refused, or is one that a driver could have made; and the device can be reset.
  @Test(arguments: savable, TransportKind.allCases)
  func anyState(kind: DeviceKind, by transport: TransportKind) throws {
    let old = Bench(kind, transport)
    old.start()
    if kind == .block { old.specimen.putsOff(true) } else { old.specimen.holdsBack(true) }
    for _ in 0..<3 { try old.offer() }
    old.driver.notify(queue: UInt32(old.specimen.request.queue))
    old.owner.serve()
    let state = try save(old)
    var refused = 0
    for (place, payload) in sections(state) {
      // Of long fields some will do.
      for index in payload where payload.count < 300 || index % 7 == 0 {
        var bytes = state
        bytes[index] = [state[index] ^ 1, 0, 0xff, state[index] ^ 0x80][index % 4]
        seal(&bytes, section: place, payload)
        let new = Bench(kind, transport, after: old)
        do throws(StateError) {
          try restore(bytes, new)
          new.driver.transport.wake()
          new.owner.serve()
        } catch {
          refused += 1
        }
      }
    }
    #expect(refused > 50)
    let last = Bench(kind, transport, after: old)
    try restore(state, last)
    last.start()
    try last.expectService()
  }

  /// Where the headers of sections begin, and where their payloads are; but for the end.
  private func sections(_ state: [UInt8]) -> [(Int, Range<Int>)] {
    var sections: [(Int, Range<Int>)] = []
    var place = 16
    while place < state.count {
      let start = place + 20
      let end = start + Int(state.field(UInt32.self, at: place + 12))
      sections.append((place, start..<end))
      place = end
    }
    return Array(sections.dropLast())
  }

  /// Has all checks hold again.
  private func seal(_ state: inout [UInt8], section: Int, _ payload: Range<Int>) {
    var check = CRC32C()
    check.update(state[section..<(section + 16)])
    check.update(state[payload])
    state.put(check.value, at: section + 16)
    let end = state.count - 52
    var writer = StateWriter()
    writer.add(.end, payload: SHA256.digest(state[..<end]))
    // The header of a stream, and the section that is wanted.
    state.replaceSubrange(end..., with: writer.finish().dropFirst(16).prefix(52))
  }
}

struct SerialStateTests {
  private final class Host: SerialBackend, InterruptLine {
    var sent: [UInt8] = []
    var interrupts = 0
    var wanted = 0
    func transmit(_ byte: UInt8) { sent.append(byte) }
    func receiverReady() { wanted += 1 }
    func raise() { interrupts += 1 }
  }

  @Test func goesOnElsewhere() throws {
    let host = Host()
    let old = SerialPort(backend: host, line: host)
    old.write(1, offset: 2, width: 1)  // FIFO
    old.write(3, offset: 1, width: 1)  // IER: data, transmitter
    old.write(0xb, offset: 4, width: 1)
    old.write(0x5a, offset: 7, width: 1)
    #expect(old.receive(Array("a line that is longer than it has room".utf8)) == 16)
    #expect(old.read(offset: 0, width: 1) == UInt64(UInt8(ascii: "a")))
    var writer = StateWriter()
    writer.add(SerialPort.tag, old.save())
    var reader = try StateReader(writer.finish())
    var fields = try reader.require(SerialPort.tag)
    let other = Host()
    let new = SerialPort(backend: other, line: other)
    try new.restore(from: &fields)
    try fields.finish()
    // What it was told of before, it may have lost.
    #expect(other.interrupts == 1)
    for offset in [1, 3, 4, 7, 5, 2, 6] as [UInt64] {
      #expect(new.read(offset: offset, width: 1) == old.read(offset: offset, width: 1), "register \(offset)")
    }
    var line: [UInt8] = []
    while new.read(offset: 5, width: 1) & 1 == 1 { line.append(UInt8(new.read(offset: 0, width: 1))) }
    #expect(line == Array(" line that is l".utf8))
    // The rest is asked for.
    #expect(other.wanted == 1)
    new.write(0x41, offset: 0, width: 1)
    #expect(other.sent == [0x41])
  }

  @Test func valuesThatCannotBe() throws {
    let host = Host()
    for (id, value) in [(2, 0x10), (4, 0x20), (5, 0x10), (7, 2), (1, 0x1_0000)] as [(UInt16, UInt32)] {
      var fields = FieldWriter()
      for other in 1...9 as ClosedRange<UInt16> { fields.put(other, other == id ? value : 0) }
      fields.put(10, [])
      var writer = StateWriter()
      writer.add(SerialPort.tag, fields)
      var reader = try StateReader(writer.finish())
      var section = try reader.require(SerialPort.tag)
      #expect(throws: StateError.value(SerialPort.tag, id: id)) {
        try SerialPort(backend: host, line: host).restore(from: &section)
      }
    }
  }
}
