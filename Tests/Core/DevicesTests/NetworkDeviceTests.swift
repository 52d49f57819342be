import GuestMemory
import Testing
import Virtio
import VirtioTesting

@testable import Devices

struct NetworkDeviceTests {
  private static func frame(_ count: Int, to address: [UInt8] = NetworkDriver.address, seed: Int = 0) -> [UInt8] {
    NetworkDriver.frame(count, to: address, seed: seed)
  }

  // MARK: What it is

  @Test func configuration() {
    let driver = NetworkDriver(pairs: 3)
    #expect(driver.device.id == 1)
    #expect(driver.device.configuration == [2, 0, 0, 0, 0, 1, 1, 0, 3, 0, 0xdc, 5])
    #expect(driver.device.queueSizes == [32, 32, 32, 32, 32, 32, 64])
    driver.device.setLink(isUp: false)
    #expect(driver.device.configuration[6] == 0)
  }

  @Test func offersWhatTheLinkCanDo() {
    let link = FakeLink()
    link.offloads = [.tcp4, .tcp6]
    // Nothing is cut without checksums.
    #expect(
      NetworkDevice(address: NetworkDriver.address, mtu: 1500, backend: link).features
        .isDisjoint(with: [.sendTCP4, .receiveTCP4, .controlReceiveOffloads, .manyQueues]))
    link.offloads = [.checksum, .tcp4]
    let features = NetworkDevice(address: NetworkDriver.address, mtu: 1500, pairs: 2, backend: link).features
    #expect(features.isSuperset(of: [.sendChecksum, .receiveChecksum, .sendTCP4, .receiveTCP4, .manyQueues]))
    #expect(features.isDisjoint(with: [.sendTCP6, .receiveTCP6]))
  }

  @Test func linkLearnsWhatTheDriverTakes() {
    #expect(NetworkDriver().link.receiveOffloads == [.checksum, .tcp4, .tcp6, .congestion])
    #expect(NetworkDriver(without: .receiveTCP6).link.receiveOffloads == [.checksum, .tcp4, .congestion])
    #expect(NetworkDriver(without: .receiveChecksum).link.receiveOffloads == [])
  }

  // MARK: To the host

  @Test func sends() throws {
    let driver = NetworkDriver()
    let frame = Self.frame(1514)
    try driver.send(frame)
    #expect(driver.link.outgoing[0] == [frame])
    #expect(driver.queues[1].reap()?.written == 0 && driver.queues[1].interrupts.count == 1)
    // In pieces, the header cut as well.
    let place = driver.place(frame.count)
    try driver.memory.write(frame, at: place)
    driver.queues[1].offer([.readable(place, 5), .readable(place + 5, 500), .readable(place + 505, 1009)])
    try driver.device.process(driver.queues[1].deviceSide)
    #expect(driver.link.outgoing[0] == [frame, frame])
  }

  @Test func framesWaitForTheHost() throws {
    let driver = NetworkDriver()
    driver.link.room = 1
    let frames = (0..<3).map { Self.frame(100, seed: $0) }
    for frame in frames { try driver.send(frame) }
    #expect(driver.link.outgoing[0] == [frames[0]])
    #expect(driver.queues[1].reap() != nil && driver.queues[1].reap() == nil)
    driver.link.room = .max
    driver.device.writable(pair: 0)
    #expect(driver.link.outgoing[0] == frames)
    driver.queues[1].offer([.readable(0x8_0000, 64)])
    #expect(driver.queues[1].wantsNotification)
  }

  @Test func sendsNoFragmentsOfFrames() throws {
    let driver = NetworkDriver()
    try driver.send(Self.frame(NetworkDevice.frameMinimum - 1))
    try driver.send(Self.frame(NetworkDevice.frameLimit + 1))
    #expect(driver.link.outgoing.isEmpty)
    #expect(driver.queues[1].reap() != nil && driver.queues[1].reap() != nil)
    try driver.send(Self.frame(NetworkDevice.frameLimit))
    #expect(driver.link.outgoing[0]?.count == 1)
  }

  @Test(arguments: [[DriverBuffer.readable(0x8_0000, 11)], [.readable(0x8_0000, 64), .writable(0x9_0000, 1)]])
  func sendingNonsenseIsAFault(_ buffers: [DriverBuffer]) {
    let driver = NetworkDriver()
    driver.queues[1].offer(buffers)
    #expect(throws: QueueFault.request) { try driver.device.process(driver.queues[1].deviceSide) }
  }

  // MARK: To the guest

  @Test func receives() throws {
    let driver = NetworkDriver()
    let places = driver.give(2, of: 1600)
    let frame = Self.frame(1514)
    driver.link.incoming[0] = [frame]
    driver.device.readable(pair: 0)
    #expect(driver.queues[0].reap()?.written == 1514 && driver.queues[0].reap() == nil)
    #expect(driver.queues[0].interrupts.count == 1)
    var expected = frame
    expected[10] = 1  // num_buffers
    #expect(try driver.memory.read(count: 1514, at: places[0]) == expected)
  }

  @Test func framesWaitForBuffers() throws {
    let driver = NetworkDriver()
    driver.link.incoming[0] = [Self.frame(100), Self.frame(200)]
    try driver.device.process(driver.queues[0].deviceSide)
    #expect(driver.link.incoming[0]?.count == 2)
    driver.give(1, of: 1600)
    #expect(driver.queues[0].wantsNotification)
    try driver.device.process(driver.queues[0].deviceSide)
    #expect(driver.queues[0].reap()?.written == 100)
    driver.give(1, of: 1600)
    try driver.device.process(driver.queues[0].deviceSide)
    #expect(driver.queues[0].reap()?.written == 200)
  }

  @Test func largeFramesTakeManyBuffers() throws {
    let driver = NetworkDriver()
    let frame = Self.frame(5000)
    var places = driver.give(4, of: 1600)
    // Twice: the second time the buffers are there before the frame's length is known.
    driver.link.incoming[0] = [frame, frame]
    driver.device.readable(pair: 0)
    try expectFrame(frame, of: 4, at: places)
    #expect(driver.queues[0].reap() == nil)
    // Too few for the second one, which waits and is not lost.
    places = driver.give(2, of: 1600)
    try driver.device.process(driver.queues[0].deviceSide)
    #expect(driver.queues[0].reap() == nil)
    places += driver.give(1, of: 1600)
    #expect(driver.queues[0].wantsNotification)
    places += driver.give(2, of: 1600)
    try driver.device.process(driver.queues[0].deviceSide)
    try expectFrame(frame, of: 4, at: places)
    // The fifth buffer is still there for the next.
    driver.link.incoming[0] = [Self.frame(60)]
    driver.device.readable(pair: 0)
    #expect(driver.queues[0].reap()?.written == 60)
    #expect(try driver.memory.load(UInt16.self, at: places[4] + 10) == 1)

    func expectFrame(_ frame: [UInt8], of buffers: Int, at places: [GuestAddress]) throws {
      var bytes: [UInt8] = []
      for index in 0..<buffers {
        let written = try #require(driver.queues[0].reap()?.written)
        bytes += try driver.memory.read(count: written, at: places[index])
      }
      #expect(bytes[10] == UInt8(buffers) && bytes[11] == 0)
      bytes[10] = 0
      #expect(bytes == frame)
    }
  }

  @Test func buffersOfOneFrameAppearTogether() throws {
    let driver = NetworkDriver()
    driver.give(3, of: 2000)
    let used = driver.queues[0].layout.usedRing + 2
    driver.link.incoming[0] = [Self.frame(5000)]
    #expect(try driver.memory.load(UInt16.self, at: used) == 0)
    driver.device.readable(pair: 0)
    #expect(try driver.memory.load(UInt16.self, at: used) == 3)
    #expect(driver.queues[0].interrupts.count == 1)
  }

  @Test func frameLargerThanAllBuffersIsLost() throws {
    let driver = NetworkDriver(size: 4)
    driver.give(4, of: 1000)
    driver.link.incoming[0] = [Self.frame(5000), Self.frame(70)]
    driver.device.readable(pair: 0)
    #expect(driver.queues[0].reap()?.written == 70 && driver.queues[0].reap() == nil)
  }

  @Test func withoutMergingOneBufferIsAll() throws {
    let driver = NetworkDriver(without: .mergeableBuffers)
    let place = driver.give(2, of: 1000)[0]
    driver.link.incoming[0] = [Self.frame(1001), Self.frame(1000)]
    driver.device.readable(pair: 0)
    #expect(driver.queues[0].reap()?.written == 1000 && driver.queues[0].reap() == nil)
    #expect(try driver.memory.load(UInt16.self, at: place + 10) == 1)
  }

  @Test func headerAcrossPieces() throws {
    let driver = NetworkDriver()
    let place = driver.place(100)
    driver.queues[0].offer([.writable(place, 11), .writable(place + 11, 60)])
    driver.link.incoming[0] = [Self.frame(64)]
    driver.device.readable(pair: 0)
    #expect(driver.queues[0].reap()?.written == 64)
    var expected = Self.frame(64)
    expected[10] = 1
    #expect(try driver.memory.read(count: 64, at: place) == expected)
  }

  @Test(arguments: [[DriverBuffer.writable(0x8_0000, 11)], [.readable(0x8_0000, 64)]])
  func badReceiveBuffersAreFaults(_ buffers: [DriverBuffer]) throws {
    let driver = NetworkDriver()
    driver.link.incoming[0] = [Self.frame(64)]
    driver.queues[0].offer(buffers)
    #expect(throws: QueueFault.request) { try driver.device.process(driver.queues[0].deviceSide) }
    // Met by the host's side, it is kept for the next notification of any queue.
    let other = NetworkDriver()
    other.link.incoming[0] = [Self.frame(64)]
    other.queues[0].offer(buffers)
    other.device.readable(pair: 0)
    #expect(throws: QueueFault.request) { try other.device.process(other.queues[1].deviceSide) }
    other.device.reset()
    other.device.readable(pair: 0)
  }

  @Test func resetForgetsFrames() throws {
    let driver = NetworkDriver()
    driver.link.incoming[0] = [Self.frame(5000)]
    driver.give(1, of: 1600)
    driver.device.readable(pair: 0)
    driver.link.room = 0
    try driver.send(Self.frame(100))
    driver.device.reset()
    driver.start()
    driver.link.room = .max
    driver.link.incoming[0] = [Self.frame(80)]
    driver.give(1, of: 1600)
    try driver.device.process(driver.queues[0].deviceSide)
    #expect(driver.queues[0].reap()?.written == 80)
    try driver.device.process(driver.queues[1].deviceSide)
    #expect(driver.link.outgoing.isEmpty)
  }

  // MARK: Several pairs

  @Test func pairsComeAndGo() throws {
    let driver = NetworkDriver(pairs: 2)
    #expect(driver.link.activePairs == 1)
    driver.give(2, of: 1600, pair: 1)
    driver.link.incoming[1] = [Self.frame(90), Self.frame(91)]
    driver.device.readable(pair: 1)
    #expect(driver.queues[2].reap() == nil)
    #expect(try driver.command([4, 0, 2, 0]) == 0)
    #expect(driver.link.activePairs == 2)
    #expect(driver.queues[2].reap()?.written == 90 && driver.queues[2].reap()?.written == 91)
    try driver.send(Self.frame(77), pair: 1)
    #expect(driver.link.outgoing[1]?.count == 1)
    for count in [0, 3, 0x8001] { #expect(try driver.command([4, 0, UInt8(count & 255), UInt8(count >> 8)]) == 1) }
    #expect(driver.link.activePairs == 2)
    #expect(try driver.command([4, 0, 1, 0]) == 0)
    #expect(driver.link.activePairs == 1)
  }

  @Test func driverOfOnePairHasItsControlQueueThird() throws {
    let driver = NetworkDriver(pairs: 2, without: .manyQueues)
    #expect(try driver.command([0, 0, 0], queue: 2) == 0)
    #expect(try driver.command([4, 0, 2, 0], queue: 2) == 1)
    driver.device.readable(pair: 1)
    try driver.device.process(driver.queues[4].deviceSide)
  }

  // MARK: Control

  @Test func filters() throws {
    let driver = NetworkDriver()
    let other: [UInt8] = [2, 0, 0, 0, 0, 9]
    let group: [UInt8] = [1, 0, 0x5e, 0, 0, 1]
    let everybody = [UInt8](repeating: 0xff, count: 6)
    func arrives(_ destination: [UInt8]) -> Bool {
      driver.give(1, of: 200)
      driver.link.incoming[0] = [Self.frame(100, to: destination)]
      driver.device.readable(pair: 0)
      return driver.queues[0].reap() != nil
    }
    #expect(arrives(other) && arrives(group) && arrives(everybody))
    #expect(try driver.command([0, 0, 0]) == 0)
    #expect(arrives(NetworkDriver.address) && arrives(everybody) && !arrives(other) && !arrives(group))
    #expect(try driver.command([0, 1, 1]) == 0)
    #expect(arrives(group) && !arrives(other))
    #expect(try driver.command([0, 1, 0]) == 0)
    #expect(try driver.command([1, 0, 1, 0, 0, 0] + other + [1, 0, 0, 0] + group) == 0)
    #expect(arrives(other) && arrives(group))
    #expect(try driver.command([0, 5, 1]) == 0)
    #expect(!arrives(everybody))
    // A new address takes the place of the old one, until the reset.
    #expect(try driver.command([1, 0, 0, 0, 0, 0, 0, 0, 0, 0]) == 0)
    #expect(try driver.command([1, 1] + other) == 0)
    #expect(Array(driver.device.configuration.prefix(6)) == other)
    #expect(arrives(other) && !arrives(NetworkDriver.address))
    driver.device.reset()
    #expect(Array(driver.device.configuration.prefix(6)) == NetworkDriver.address)
  }

  @Test func longTablesLetAllOfTheirKindThrough() throws {
    let driver = NetworkDriver()
    #expect(try driver.command([0, 0, 0]) == 0)
    let many = (0..<100).flatMap { [2, 0, 0, 0, 1, $0] as [UInt8] }
    let command: [UInt8] = [1, 0, 100, 0, 0, 0] + many + [0, 0, 0, 0]
    #expect(try driver.command(command) == 0)
    driver.give(1, of: 200)
    driver.link.incoming[0] = [Self.frame(100, to: [1, 0, 0, 0, 0, 7]), Self.frame(99, to: [2, 0, 0, 0, 0, 7])]
    driver.device.readable(pair: 0)
    #expect(driver.queues[0].reap()?.written == 99)
  }

  @Test func receiveOffloadsChange() throws {
    let driver = NetworkDriver(without: .receiveTCP6)
    #expect(try driver.command([5, 0, 0x02, 0, 0, 0, 0, 0, 0, 0]) == 0)
    #expect(driver.link.receiveOffloads == .checksum)
    #expect(try driver.command([5, 0, 0x82, 0, 0, 0, 0, 0, 0, 0]) == 0)
    #expect(driver.link.receiveOffloads == [.checksum, .tcp4])
    // What was not negotiated.
    #expect(try driver.command([5, 0, 0x02, 1, 0, 0, 0, 0, 0, 0]) == 1)
    #expect(driver.link.receiveOffloads == [.checksum, .tcp4])
  }

  @Test(
    arguments: [
      [9, 0, 0], [0, 6, 1], [0, 0, 2], [0, 0, 1, 1], [1, 1, 2, 0, 0], [1, 1, 1, 0, 0, 0, 0, 0], [1, 0, 1, 0],
      [1, 0, 2, 0, 0, 0, 1, 2, 3, 4, 5, 6], [1, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0],
      [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
      [2, 0, 1, 0], [4, 0, 1], [4, 0, 1, 0], [5, 0, 1], [5, 1, 0, 0, 0, 0, 0, 0, 0, 0],
    ] as [[UInt8]])
  func unknownCommandsAreRefused(_ command: [UInt8]) throws {
    #expect(try NetworkDriver().command(command) == 1)
  }

  @Test func commandsNeedTheirFeatures() throws {
    let driver = NetworkDriver(without: [.controlFilter, .controlExtraFilter, .controlHardwareAddress])
    for command in [[0, 0, 1], [0, 1, 1], [0, 2, 1], [1, 0, 0, 0, 0, 0, 0, 0, 0, 0], [1, 1, 2, 0, 0, 0, 0, 9]]
      as [[UInt8]]
    {
      #expect(try driver.command(command) == 1)
    }
  }

  @Test func endlessCommandIsRefused() throws {
    let driver = NetworkDriver()
    driver.queues[2].offer([.readable(0x10_0000, 0x3_0000), .writable(0x20_0000, 4)])
    try driver.device.process(driver.queues[2].deviceSide)
    #expect(driver.queues[2].reap()?.written == 1)
    #expect(try driver.memory.read(count: 2, at: 0x20_0000) == [1, 0])
  }

  @Test(arguments: [[DriverBuffer.readable(0x8_0000, 3)], [.readable(0x8_0000, 1), .writable(0x9_0000, 1)]])
  func commandsWithoutRoomAreFaults(_ buffers: [DriverBuffer]) {
    let driver = NetworkDriver()
    driver.queues[2].offer(buffers)
    #expect(throws: QueueFault.request) { try driver.device.process(driver.queues[2].deviceSide) }
  }
}
