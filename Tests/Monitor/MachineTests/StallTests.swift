import Devices
import Glibc
import GuestMemory
import Host
import Synchronization
import Testing
import Virtio
import VirtioTesting

@testable import Machine

/// Whoever lets the monitor wait holds up nobody but the one that waits for it.
struct StallTests {
  /// A file system of the host's that does not answer.
  @Test func endsWaitForNoWorker() throws {
    final class Server: FileSystemBackend, @unchecked Sendable {
      let begun = Atomic<Int>(0)
      let answer = Lock()
      func serve(readable: [GuestSlice], writable: [GuestSlice]) -> UInt32 {
        begun.add(1, ordering: .releasing)
        return answer.withLock { 0 }
      }
      func disconnected() {}
    }
    let server = Server()
    let memory = FakeGuestMemory(size: 1 << 20)
    let slot = VirtioSlot(try EventLoop())
    let device = FileSystemDevice(tag: [1], requestQueues: 1, backend: server)
    let driver = MMIODriver(device, memory, slot)
    try slot.serve(driver.transport)
    try slot.startThreads {}
    driver.negotiate(device.features.union(.common))
    let rings = device.queueSizes.enumerated().map { index, size in
      DriverQueue(memory, size: size, base: 0x1_0000 * UInt64(index + 1), index: index)
    }
    for ring in rings {
      driver.setUp(queue: UInt32(ring.deviceSide.index), size: UInt32(ring.size), layout: ring.layout)
    }
    driver.writeStatus(15)
    server.answer.withLock {
      for _ in 0..<4 { rings[1].offer([.readable(0x8_0000, 40)]) }
      driver.notify(queue: 1)
      while server.begun.load(ordering: .acquiring) == 0 { usleep(1000) }
      slot.hold()
      // Who waited for the worker would wait for ever.
      #expect(!slot.rests(within: 50))
    }
    // What was at hand ends, and nothing is begun after that.
    while !slot.rests(within: 1000) {}
    let begun = server.begun.load(ordering: .acquiring)
    driver.notify(queue: 1)
    usleep(20_000)
    #expect(server.begun.load(ordering: .acquiring) == begun)
  }

  /// A reader of the serial line that does not read: input goes on, and so does the loop that brings it.
  @Test func serialOutputHoldsUpTheSenderAlone() throws {
    var output: [Int32] = [0, 0]
    var input: [Int32] = [0, 0]
    try #require(pipe(&output) == 0 && pipe(&input) == 0)
    let loop = try EventLoop()
    let line = SerialLine(
      TextChannel(output: FileDescriptor(owning: output[1]), input: FileDescriptor(owning: input[0])),
      interrupt: InterruptCounter(), loop: loop)
    let running = try Thread("loop") { try? loop.run() }
    let sent = Shared(0)
    let capacity = Int(fcntl(output[0], 1032))  // F_GETPIPE_SZ
    let count = 2 * capacity
    let vcpu = try Thread("vcpu") {
      for _ in 0..<count {
        line.write(0x41, offset: 0, width: 1)
        sent.value.add(1, ordering: .relaxed)
      }
    }
    // From then on it waits, however long nobody reads.
    var held: Int32 = 0
    while held < capacity {
      try #require(ioctl(output[0], UInt(FIONREAD), &held) == 0)
      usleep(1000)
    }
    #expect(sent.value.load(ordering: .relaxed) <= capacity)
    var byte: UInt8 = 0x42
    try #require(write(input[1], &byte, 1) == 1)
    // Data ready (LSR), and the byte; the loop has it still.
    while line.read(offset: 5, width: 1) & 1 == 0 { usleep(1000) }
    #expect(line.read(offset: 0, width: 1) == 0x42 && sent.value.load(ordering: .relaxed) <= capacity)
    loop.perform {}
    var buffer = [UInt8](repeating: 0, count: 65536)
    var received = 0
    while received < count { received += max(read(output[0], &buffer, buffer.count), 0) }
    vcpu.join()
    loop.stop()
    running.join()
    close(output[0])
    close(input[1])
  }

  private final class Shared: @unchecked Sendable {
    let value: Atomic<Int>
    init(_ value: Int) { self.value = Atomic(value) }
  }
}
