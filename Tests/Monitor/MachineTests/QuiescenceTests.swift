import Devices
import Dispatch
import Glibc
import GuestMemory
import Host
import LittleEndian
import Synchronization
import Testing
import Virtio
import VirtioTesting

import struct Foundation.Data
import struct Foundation.URL

@testable import Machine

/// A machine whose devices stand still: nothing of them moves, and nothing that came about meanwhile is lost.
struct QuiescenceTests {
  /// Whoever wants the machine to go on waits for who works on what rests.
  @Test func whatRestsGoesOnWhenTheWorkIsDone() throws {
    let loop = try EventLoop()
    let quiescence = Quiescence(loop) { [] }
    let go = DispatchSemaphore(value: 0)
    var order: [String] = []
    quiescence.enter([]) { _ in
      quiescence.work {
        go.wait()
      } done: {
        order.append("done")
      }
      quiescence.leave {
        order.append("left")
        loop.stop()
      }
      #expect(quiescence.isWorking && quiescence.isReached && order.isEmpty)
      go.signal()
    }
    try loop.run()
    #expect(order == ["done", "left"] && !quiescence.isActive)
  }

  /// Devices that are served on the loop.
  @Test func entropyWaits() throws {
    let bench = try Bench { _ in EntropyDevice(source: HostEntropy()) }
    bench.rings[0].offer([.writable(0x8_0000, 16)])
    bench.driver.notify(queue: 0)
    #expect(eventually { bench.rings[0].reap() != nil })
    bench.expectWaits(bench.rings[0]) {
      bench.rings[0].offer([.writable(0x8_0000, 16)])
      bench.driver.notify(queue: 0)
    }
  }

  @Test func balloonWaits() throws {
    final class Backend: BalloonBackend {
      func release(_ slice: GuestSlice) {}
      func statisticsCame() {}
    }
    let memory = FakeGuestMemory(size: 4 << 20)
    let bench = try Bench(memory) { _ in BalloonDevice(memory: memory, backend: Backend()) }
    bench.expectWaits(bench.rings[0]) {
      bench.rings[0].offer([.readable(0x8_0000, 4)])
      bench.driver.notify(queue: 0)
    }
  }

  /// Devices whose queues have threads: what is under way ends first, though the host takes its time, and the loop goes on.
  @Test func fileSystemRests() throws {
    final class Server: FileSystemBackend, @unchecked Sendable {
      let host = SlowHost()
      func serve(readable: [GuestSlice], writable: [GuestSlice]) -> UInt32 {
        host.answer()
        return 0
      }
      func disconnected() {}
    }
    let server = Server()
    let bench = try Bench { _ in FileSystemDevice(tag: [1], requestQueues: 1, backend: server) }
    try bench.expectRests(bench.rings[1], server.host) { bench.rings[1].offer([.readable(0x8_0000, 40)]) }
  }

  @Test func persistentMemoryRests() throws {
    final class File: PersistentMemoryBackend, @unchecked Sendable {
      let host = SlowHost()
      func flush() -> Bool {
        host.answer()
        return true
      }
    }
    let file = File()
    let bench = try Bench { _ in PersistentMemoryDevice(0..<(2 << 20), backend: file) }
    try bench.expectRests(bench.rings[0], file.host) {
      bench.rings[0].offer([.readable(0x8_0000, 4), .writable(0x8_1000, 4)])
    }
  }

  /// Once it rests, the file has all that the driver was told of, and the driver hears of all that was begun.
  @Test(arguments: DiskMeans.here) func diskIsDrained(_ means: DiskMeans) throws {
    final class Part: DevicePart {
      var device: BlockDevice?
      func attach(to board: Board) {}
      func settle() { device?.settle() }
    }
    let path = "/tmp/novm-quiet-\(getpid())-\(means)"
    try Data(count: 1 << 20).write(to: URL(filePath: path))
    defer { unlink(path) }
    let disk = FileDisk(try DiskFile(try Disk(Array(path.utf8))), queueCount: 1, ignoresFlushes: false)
    let device = BlockDevice(size: 1 << 20, queueSize: 256, backend: disk)
    disk.device = device
    let part = Part()
    part.device = device
    let bench = try Bench(parts: [part]) { _ in device }
    if means == .rings { try #require(disk.useRings(bench.slot.workers.map(\.event))) }
    let ring = bench.rings[0]
    for round in 1...20 as ClosedRange<UInt8> {
      var places: [UInt16: UInt64] = [:]
      for index in 0..<60 as Range<UInt64> {
        let base: GuestAddress = 0x10_0000 + index * 0x4000
        try bench.memory.write(littleEndian(UInt32(1)) + [0, 0, 0, 0] + littleEndian(8 * index), at: base)
        try bench.memory.write([UInt8](repeating: round, count: 4096), at: base + 0x1000)
        places[ring.offer([.readable(base, 16), .readable(base + 0x1000, 4096), .writable(base + 0x20, 1)])] = index
      }
      bench.driver.notify(queue: 0)
      bench.quiesce()
      #expect(bench.driver.transport.queues[0].underWay == 0)
      let content = try Data(contentsOf: URL(filePath: path))
      while let used = ring.reap() {
        let index = places.removeValue(forKey: used.head)
        let place = Int(try #require(index)) * 4096
        #expect(content[place] == round)
      }
      usleep(2000)
      #expect(ring.reap() == nil)
      #expect(try Data(contentsOf: URL(filePath: path)) == content)
      bench.resume()
      let isAllBack = eventually {
        while let used = ring.reap() { places[used.head] = nil }
        return places.isEmpty
      }
      #expect(isAllBack)
    }
  }

  @Test func consoleInputStaysUnread() throws {
    let (input, output) = (try Pipe(), try Pipe())
    let bench = try Bench { loop in
      let line = ConsoleLine(
        TextChannel(output: output.writer, input: input.reader), loop: loop)
      let device = ConsoleDevice(backend: line)
      line.device = device
      return device
    }
    bench.rings[0].offer([.writable(0x8_0000, 100)])
    bench.driver.notify(queue: 0)
    bench.expectWaits(bench.rings[0]) { input.put("ls\n") }
  }

  @Test func serialInputStaysUnread() throws {
    let (input, output) = (try Pipe(), try Pipe())
    let bench = try Bench()
    let line = SerialLine(
      TextChannel(output: output.writer, input: input.reader), interrupt: InterruptCounter(),
      loop: bench.loop)
    bench.quiesce()
    input.put("x")
    usleep(50_000)
    #expect(line.read(offset: 5, width: 1) & 1 == 0)
    bench.resume()
    #expect(eventually { line.read(offset: 5, width: 1) & 1 == 1 })
    #expect(line.read(offset: 0, width: 1) == UInt64(UInt8(ascii: "x")))
  }

  /// By a socket, and by what keeps the bounds of frames as a tap does.
  @Test(arguments: [false, true]) func framesStayUnread(isTap: Bool) throws {
    var ends: [Int32] = [-1, -1]
    let type = isTap ? SOCK_SEQPACKET : SOCK_STREAM
    try #require(unsafe socketpair(AF_UNIX, Int32(type.rawValue | SOCK_NONBLOCK.rawValue), 0, &ends) == 0)
    let peer = FileDescriptor(owning: ends[1])
    let bench = try Bench { loop in
      let device: NetworkDevice
      if isTap {
        let tap = try TapBackend([ends[0]], loop: loop) {}
        device = NetworkDevice(address: [2, 0, 0, 0, 0, 1], mtu: 1500, backend: tap)
        tap.device = device
      } else {
        let stream = try StreamBackend(FileDescriptor(owning: ends[0]), sendsToLoopback: true, loop: loop) { _ in }
        device = NetworkDevice(address: [2, 0, 0, 0, 0, 1], mtu: 1500, backend: stream)
        stream.device = device
      }
      return device
    }
    let frame = [2, 0, 0, 0, 0, 1] + [UInt8](repeating: 7, count: 54)
    let sent = (isTap ? [UInt8](repeating: 0, count: 12) : [0, 0, 0, 60]) + frame
    for place in 0..<2 as Range<UInt64> { bench.rings[0].offer([.writable(0x8_0000 + 0x1000 * place, 2000)]) }
    bench.driver.notify(queue: 0)
    try peer.writeAll(sent)
    #expect(eventually { bench.rings[0].reap() != nil })
    try bench.expectWaits(bench.rings[0]) { try peer.writeAll(sent) }
  }

  @Test func clientsOfTheVsockWait() throws {
    let bench = try Bench(runs: false)
    let path = "/tmp/novm-quiet-\(getpid()).sock"
    let guest = try VsockGuest(bench.loop)
    let backend = try UnixVsockBackend(guest.device, path: Path(path), loop: bench.loop)
    defer { backend.close() }
    bench.run()
    bench.quiesce()
    let client = try UnixSocket.connect(Path(path))
    try client.writeAll(Array("CONNECT 1024\n".utf8))
    usleep(50_000)
    func connections() -> Int {
      bench.onLoop {
        try! guest.step()
        return guest.connections.count
      }
    }
    #expect(connections() == 0)
    bench.resume()
    let isConnected = eventually { connections() == 1 }
    #expect(isConnected)
  }

  /// Of limited rates, and of all else that waits for a time.
  @Test func timersWaitUnlessTheyAreTheOperators() throws {
    let bench = try Bench(runs: false)
    let (devices, operators) = (Shared(), Shared())
    let timer = try Timer(bench.loop) { devices.add() }
    let other = try Timer(bench.loop, isAlways: true) { operators.add() }
    bench.run()
    bench.quiesce()
    timer.start(nanoseconds: 1)
    other.start(nanoseconds: 1)
    #expect(eventually { operators.count == 1 })
    usleep(20_000)
    #expect(devices.count == 0)
    bench.resume()
    #expect(eventually { devices.count == 1 })
  }

  /// Whoever resumes before all rest is told so, as is whoever waited.
  @Test func itMayBeLeftBeforeItIsReached() throws {
    final class Slow: DevicePart, @unchecked Sendable {
      let host = SlowHost()
      func attach(to board: Board) {}
      func settle() { host.answer() }
    }
    let part = Slow()
    let bench = try Bench(parts: [part])
    let answers = Shared()
    part.host.lock.withLock {
      bench.loop.post { bench.quiescence.enter([part]) { if !$0 { answers.add() } } }
      #expect(eventually { part.host.begun == 1 })
      bench.loop.post {
        let isOnItsWay = bench.quiescence.isActive && !bench.quiescence.isReached
        #expect(isOnItsWay)
        bench.quiescence.leave { answers.add() }
      }
      usleep(20_000)
      #expect(answers.count == 0)
    }
    #expect(eventually { answers.count == 2 })
    let isActive = bench.onLoop { bench.quiescence.isActive }
    #expect(!isActive)
    // And once more, which nothing of it is in the way of.
    bench.quiesce()
    let isReached = bench.onLoop { bench.quiescence.isReached }
    #expect(isReached)
    bench.resume()
  }
}

/// A host that answers when the test lets it.
private final class SlowHost: @unchecked Sendable {
  let lock = Lock()
  private let count = Atomic<Int>(0)
  var begun: Int { count.load(ordering: .acquiring) }

  func answer() {
    count.add(1, ordering: .releasing)
    lock.withLock {}
  }
}

private final class Shared: @unchecked Sendable {
  private let value = Atomic<Int>(0)
  var count: Int { value.load(ordering: .acquiring) }
  func add() { value.add(1, ordering: .releasing) }
}

/// A device with its driver, and the stage that a machine has.
private final class Bench: @unchecked Sendable {
  let loop: EventLoop
  let memory: GuestMemory
  let slot: VirtioSlot
  private(set) var driver: MMIODriver!
  private(set) var rings: [DriverQueue] = []
  let quiescence: Quiescence
  private let parts: [any DevicePart]
  private var thread: Thread?

  init(
    _ memory: GuestMemory? = nil, parts: [any DevicePart] = [], runs: Bool = true,
    _ make: ((EventLoop) throws -> any VirtioDevice)? = nil
  ) throws {
    let loop = try EventLoop()
    let slot = VirtioSlot(loop)
    self.loop = loop
    self.slot = slot
    self.parts = parts
    self.memory = memory ?? FakeGuestMemory(size: 4 << 20)
    quiescence = Quiescence(loop) { make == nil ? [] : [slot] }
    if let device = try make?(loop) {
      driver = MMIODriver(device, self.memory, slot)
      try slot.serve(driver.transport)
      try slot.startThreads {}
      driver.negotiate(device.features.union(.common))
      rings = device.queueSizes.enumerated().map { index, size in
        DriverQueue(self.memory, size: size, base: 0x1_0000 * UInt64(index + 1), index: index)
      }
      for ring in rings {
        driver.setUp(queue: UInt32(ring.deviceSide.index), size: UInt32(ring.size), layout: ring.layout)
      }
      driver.writeStatus(15)
    }
    if runs { run() }
  }

  deinit {
    loop.stop()
    thread?.join()
  }

  func run() {
    let loop = loop
    thread = try! Thread("loop") { try! loop.run() }
  }

  func onLoop<Result>(_ body: @escaping () -> Result) -> Result {
    let done = try! EventFD()
    var result: Result?
    loop.post {
      result = body()
      done.signal()
    }
    done.wait()
    return result!
  }

  func quiesce() {
    let done = try! EventFD()
    loop.post { [self] in
      quiescence.enter(parts) {
        #expect($0)
        done.signal()
      }
    }
    done.wait()
  }

  func resume() {
    let done = try! EventFD()
    loop.post { [self] in quiescence.leave { done.signal() } }
    done.wait()
  }

  /// What comes about while nothing moves is served afterwards.
  func expectWaits(_ ring: DriverQueue, _ cause: () throws -> Void) rethrows {
    quiesce()
    try cause()
    usleep(50_000)
    #expect(ring.reap() == nil)
    resume()
    #expect(eventually { ring.reap() != nil })
  }

  /// What is under way with the host ends before all rests, and nothing is begun after it.
  func expectRests(_ ring: DriverQueue, _ host: SlowHost, _ offer: () -> Void) throws {
    let isReached = try EventFD()
    host.lock.withLock {
      offer()
      driver.notify(queue: UInt32(ring.deviceSide.index))
      #expect(eventually { host.begun == 1 })
      loop.post { [self] in quiescence.enter(parts) { if $0 { isReached.signal() } } }
      #expect(!isReached.wait(milliseconds: 50))
      // The loop waits for nobody.
      let isOnItsWay = onLoop { [self] in quiescence.isActive && !quiescence.isReached }
      #expect(isOnItsWay)
    }
    isReached.wait()
    #expect(ring.reap() != nil)
    #expect(driver.transport.queues[ring.deviceSide.index].underWay == 0)
    offer()
    driver.notify(queue: UInt32(ring.deviceSide.index))
    usleep(50_000)
    #expect(host.begun == 1)
    #expect(ring.reap() == nil)
    resume()
    #expect(eventually { ring.reap() != nil })
  }
}

private final class Pipe {
  private let read: Int32
  private let write: Int32

  init() throws {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { throw Errno.current }
    (read, write) = (ends[0], ends[1])
  }

  deinit {
    close(read)
    close(write)
  }

  var reader: FileDescriptor { try! FileDescriptor.duplicate(of: read) }
  var writer: FileDescriptor { try! FileDescriptor.duplicate(of: write) }

  func put(_ text: String) { try! writer.writeAll(Array(text.utf8)) }
}

private func eventually(_ condition: () -> Bool) -> Bool {
  for _ in 0..<2000 {
    if condition() { return true }
    usleep(5000)
  }
  return false
}
