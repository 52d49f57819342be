import GuestMemory
import Testing
import Virtio
import VirtioTesting

/// Every device by every transport, with drivers that break the rules wherever they can: it costs them the device until the
/// next reset, and nothing else.
struct DeviceTransportTests {
  @Test(arguments: DeviceKind.allCases, TransportKind.allCases)
  func servesAndIsReset(kind: DeviceKind, by transport: TransportKind) throws {
    let bench = Bench(kind, transport)
    for features in [nil, Features.version1, nil] {
      bench.start(features)
      #expect(bench.driver.readStatus() == 15)
      try bench.expectService()
      try bench.expectService()
    }
  }

  @Test(arguments: DeviceKind.allCases, TransportKind.allCases)
  func featuresThatAreNotOffered(kind: DeviceKind, by transport: TransportKind) throws {
    let bench = Bench(kind, transport)
    for bit in 0..<64 where bench.offered.rawValue >> UInt64(bit) & 1 == 0 {
      bench.driver.negotiate(bench.offered.union(Features(rawValue: 1 << UInt64(bit))))
      #expect(bench.driver.readStatus() == 3, "bit \(bit)")
    }
    bench.driver.negotiate(bench.offered.subtracting(.version1))
    #expect(bench.driver.readStatus() == 3)
    bench.start()
    try bench.expectService()
  }

  @Test(arguments: DeviceKind.allCases, TransportKind.allCases)
  func configurationInAnyWidthAndPlace(kind: DeviceKind, by transport: TransportKind) throws {
    let bench = Bench(kind, transport)
    let size = UInt64(bench.specimen.device.configuration.count)
    guard size > 0 else { return }
    func check() {
      let bytes = bench.specimen.device.configuration
      for width in [1, 2, 4] {
        for offset in 0..<(size + 8) {
          var expected: UInt32 = 0
          if offset + UInt64(width) <= size {
            for byte in (0..<width).reversed() { expected = expected << 8 | UInt32(bytes[Int(offset) + byte]) }
          }
          #expect(bench.driver.readConfiguration(offset, width: width) == expected, "\(width) bytes at \(offset)")
        }
      }
    }
    let before = bench.specimen.device.configuration
    func writeAll() {
      for value in [.max, 0, 0x5a5a_5a5a] as [UInt32] {
        for width in [1, 2, 4] {
          for offset in 0..<(size + 8) { bench.driver.writeConfiguration(value, offset, width: width) }
        }
        check()
      }
    }
    check()
    writeAll()
    #expect(bench.specimen.device.configuration == before, "written before there is a driver")
    bench.start()
    writeAll()
    for (place, byte) in bench.specimen.device.configuration.enumerated()
    where !bench.specimen.writable.contains(place) {
      #expect(byte == before[place], "byte \(place)")
    }
    try bench.expectService()
    bench.driver.writeStatus(0)
    #expect(bench.specimen.device.configuration == before)
  }

  @Test(arguments: DeviceKind.allCases, TransportKind.allCases)
  func ringsThatAreNotInMemory(kind: DeviceKind, by transport: TransportKind) throws {
    let bench = Bench(kind, transport)
    let places: [UInt64] = [Bench.memorySize, Bench.memorySize - 16, 1 << 63, .max - 15, 0x1001]
    for queue in bench.rings.indices {
      for place in places {
        for area in [\SplitQueue.Layout.descriptorTable, \.availableRing, \.usedRing] {
          bench.setUp()
          var layout = bench.rings[queue].layout
          layout[keyPath: area] = place
          bench.driver.setUp(queue: UInt32(queue), size: UInt32(bench.rings[queue].size), layout: layout)
          bench.driver.writeStatus(15)
          #expect(bench.driver.readStatus() == 15 | 64, "queue \(queue) at \(place)")
          // Nobody serves it.
          bench.notifyAll()
          #expect(bench.driver.readStatus() == 15 | 64)
        }
      }
      for size in [0, 3, 0xffff, UInt32(bench.rings[queue].size) * 2] {
        bench.setUp()
        bench.driver.setUp(queue: UInt32(queue), size: size, layout: bench.rings[queue].layout)
        bench.driver.writeStatus(15)
        #expect(bench.driver.readStatus() == 15 | 64, "\(size) entries of queue \(queue)")
      }
    }
    bench.start()
    try bench.expectService()
  }

  @Test(arguments: DeviceKind.allCases, TransportKind.allCases)
  func notificationsOfWhatIsNotThere(kind: DeviceKind, by transport: TransportKind) throws {
    let bench = Bench(kind, transport)
    bench.notifyAll()
    bench.setUp()
    bench.notifyAll()
    #expect(bench.driver.readStatus() == 11)
    // Queues that were left out.
    bench.driver.negotiate(bench.offered)
    bench.driver.writeStatus(15)
    bench.notifyAll()
    bench.specimen.hostActs()
    bench.owner.serve()
    #expect(bench.driver.readStatus() == 15)
    bench.start()
    bench.notifyAll()
    try bench.expectService()
  }

  @Test(arguments: DeviceKind.allCases, TransportKind.allCases)
  func chainsThatAreNone(kind: DeviceKind, by transport: TransportKind) throws {
    let bench = Bench(kind, transport)
    for queue in bench.rings.indices {
      for (name, isFault, offer) in HostileChain.all {
        bench.start()
        offer(bench.rings[queue])
        bench.driver.notify(queue: UInt32(queue))
        bench.owner.serve()
        bench.specimen.hostActs()
        bench.owner.serve()
        let status = bench.driver.readStatus()
        #expect(status == 15 || status == 15 | 64, "\(name) on queue \(queue): \(status)")
        if isFault, queue == bench.specimen.request.queue { #expect(status & 64 != 0, "\(name): not seen") }
        if status & 64 != 0 { #expect(bench.driver.interruptCount > 0) }
      }
    }
    bench.start()
    try bench.expectService()
  }

  /// One that is never told of an end, and offers on: no more is with the device than its queue has places.
  @Test(arguments: DeviceKind.allCases, TransportKind.allCases)
  func offersWithoutEnd(kind: DeviceKind, by transport: TransportKind) throws {
    let bench = Bench(kind, transport)
    for queue in bench.rings.indices {
      bench.start()
      bench.specimen.holdsBack(true)
      let ring = bench.rings[queue]
      if queue == bench.specimen.request.queue {
        try bench.offer()
      } else {
        ring.writeDescriptor(0, address: 0x8_0000, length: 64, flags: 2, next: 0)
        ring.publish(0)
      }
      for _ in 1..<8 * Int(ring.size) {
        bench.driver.notify(queue: UInt32(queue))
        bench.owner.serve()
        if queue != bench.specimen.request.queue {
          bench.specimen.hostActs()
          bench.owner.serve()
        }
        ring.publish(0)
      }
      bench.driver.notify(queue: UInt32(queue))
      bench.owner.serve()
      #expect(bench.driver.transport.queues[queue].underWay <= Int(ring.size), "queue \(queue)")
      #expect(kind != .block || bench.driver.readStatus() & 64 != 0)
      bench.specimen.holdsBack(false)
    }
    bench.start()
    try bench.expectService()
  }

  /// What the device had under way is forgotten: nothing of it reaches the memory that is the driver's own again.
  @Test(arguments: DeviceKind.allCases, TransportKind.allCases)
  func resetUnderWay(kind: DeviceKind, by transport: TransportKind) throws {
    let bench = Bench(kind, transport)
    for isNotified in [true, false] {
      bench.start()
      try bench.expectService()
      bench.specimen.holdsBack(true)
      for _ in 0..<3 { try bench.offer() }
      if isNotified {
        bench.driver.notify(queue: UInt32(bench.specimen.request.queue))
        bench.owner.serve()
      }
      bench.driver.writeStatus(0)
      #expect(bench.driver.readStatus() == 0)
      let before = try bench.memory.read(count: Int(Bench.memorySize), at: 0)
      bench.specimen.holdsBack(false)
      bench.specimen.hostActs()
      bench.notifyAll()
      #expect(try bench.memory.read(count: Int(Bench.memorySize), at: 0) == before)
    }
    bench.start()
    try bench.expectService()
  }

  /// Accesses by chance, to all registers and to what lies between them, with rings that hold anything.
  @Test(arguments: DeviceKind.allCases, TransportKind.allCases)
  func anyAccess(kind: DeviceKind, by transport: TransportKind) throws {
    let bench = Bench(kind, transport)
    var chance = Chance(seed: 1)
    for turn in 0..<24 {
      if turn % 3 != 0 { bench.start() }
      for _ in 0..<200 {
        let width = [1, 2, 4, 8][Int(chance.next() & 3)]
        // Half of them near the beginning, where most of the registers are.
        let offset = chance.next() % (chance.next() & 1 == 0 ? 0x140 : bench.driver.reach - 8)
        let values = [0, 1, 15, .max, chance.next(), chance.next() & 0x1f, chance.next() & 0x7_fff0]
        switch chance.next() % 8 {
        case 0, 1: _ = bench.driver.read(anywhere: offset, width: width)
        case 2:
          let ring = bench.rings[Int(chance.next() % UInt64(bench.rings.count))]
          ring.writeDescriptor(
            UInt16(chance.next() & 7), address: chance.next() % (Bench.memorySize + 4096),
            length: UInt32(truncatingIfNeeded: chance.next() & 0x1fff), flags: UInt16(chance.next() & 7),
            next: UInt16(chance.next() & 7))
          ring.publish(UInt16(chance.next() & 7))
          bench.notifyAll()
        case 3:
          bench.specimen.hostActs()
          bench.owner.serve()
        default: bench.driver.write(values[Int(chance.next() % 7)], anywhere: offset, width: width)
        }
      }
      bench.owner.serve()
    }
    bench.repair()
    bench.start()
    try bench.expectService()
  }
}

/// Numbers that are the same in each run (xorshift).
private struct Chance {
  private var state: UInt64
  init(seed: UInt64) { state = seed &* 0x9e37_79b9_7f4a_7c15 }

  mutating func next() -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state >> 3
  }
}

/// What a driver may put into a queue. `isFault`: no device may take it for a chain.
private enum HostileChain {
  static let all: [(name: String, isFault: Bool, offer: @Sendable (DriverQueue) -> Void)] = [
    ("a head beyond the table", true, { $0.publish($0.size) }),
    ("the last head that can be said", true, { $0.publish(.max) }),
    ("a loop", true, { one($0, 0x8_0000, 16, flags: 1) }),
    ("a next one beyond the table", true, { one($0, 0x8_0000, 16, flags: 1, next: .max) }),
    ("a buffer behind the memory", true, { one($0, Bench.memorySize, 16) }),
    ("a buffer across its end", true, { one($0, Bench.memorySize - 8, 16) }),
    ("a buffer that wraps", true, { one($0, .max - 7, 16) }),
    ("one as large as can be", true, { one($0, 0, .max, flags: 2) }),
    ("an indirect table of none", true, { one($0, 0x8_0000, 0, flags: 4) }),
    ("one of a half", true, { one($0, 0x8_0000, 24, flags: 4) }),
    ("one outside memory", true, { one($0, 1 << 62, 16, flags: 4) }),
    (
      "one within another", true,
      { queue in
        try! queue.memory.store(UInt16(4), at: 0x8_000c)
        one(queue, 0x8_0000, 16, flags: 4)
      }
    ),
    (
      "to be read after what is to be written", true,
      { queue in
        queue.writeDescriptor(1, address: 0x8_0000, length: 16, flags: 0, next: 0)
        one(queue, 0x8_0000, 16, flags: 3, next: 1)
      }
    ),
    (
      "more of them than there is room for", true,
      { queue in
        for _ in 0...queue.size { queue.publish(0) }
      }
    ),
    ("nothing to be read", false, { one($0, 0x8_0000, 0) }),
    ("nothing to be written", false, { one($0, 0x8_0000, 0, flags: 2) }),
    ("a byte to be read", false, { one($0, 0x8_0000, 1) }),
    ("a byte to be written", false, { one($0, 0x8_0000, 1, flags: 2) }),
    ("all memory to be read", false, { one($0, 0, UInt32(Bench.memorySize)) }),
    ("all but its rings to be written", false, { one($0, 0x8_0000, UInt32(Bench.memorySize) - 0x8_0000, flags: 2) }),
    (
      "the same one again and again", false,
      { queue in
        queue.writeDescriptor(0, address: 0x8_0000, length: 64, flags: 2, next: 0)
        for _ in 0..<queue.size { queue.publish(0) }
      }
    ),
  ]

  private static func one(
    _ queue: DriverQueue, _ address: GuestAddress, _ length: UInt32, flags: UInt16 = 0, next: UInt16 = 0
  ) {
    queue.writeDescriptor(0, address: address, length: length, flags: flags, next: next)
    queue.publish(0)
  }
}
