import GuestMemory
import Testing
import Virtio
import VirtioTesting

@testable import Devices

struct ConsoleDeviceTests {
  private let memory = FakeGuestMemory(size: 1 << 20)
  private let backend = FakeConsole()
  private let receive: DriverQueue
  private let transmit: DriverQueue
  private let device: ConsoleDevice

  init() {
    receive = DriverQueue(memory, size: 8, base: 0x1000, index: 0)
    transmit = DriverQueue(memory, size: 8, base: 0x10000, index: 1)
    device = ConsoleDevice(columns: 80, rows: 25, backend: backend)
    device.start([receive.deviceSide, transmit.deviceSide], features: .common)
  }

  @Test func output() throws {
    try memory.write(Array("hello, ".utf8), at: 0x20000)
    try memory.write(Array("world".utf8), at: 0x21000)
    transmit.offer([.readable(0x20000, 7), .readable(0x21000, 5)])
    try device.process(transmit.deviceSide)
    #expect(backend.output == Array("hello, world".utf8))
    #expect(transmit.reap()?.written == 0)
    #expect(transmit.interrupts.count == 1)
  }

  @Test func outputWaitsForTheHost() throws {
    try memory.write([1, 2, 3, 4, 5, 6], at: 0x20000)
    backend.room = 2
    transmit.offer([.readable(0x20000, 3), .readable(0x20003, 1)])
    transmit.offer([.readable(0x20004, 2)])
    try device.process(transmit.deviceSide)
    #expect(backend.output == [1, 2] && transmit.reap() == nil)
    try device.process(transmit.deviceSide)  // A notification changes nothing.
    #expect(backend.output == [1, 2] && transmit.reap() == nil)
    backend.room = 3
    device.outputReady()
    #expect(backend.output == [1, 2, 3, 4, 5])
    #expect(transmit.reap() != nil && transmit.reap() == nil)
    backend.room = 10
    device.outputReady()
    #expect(backend.output == [1, 2, 3, 4, 5, 6] && transmit.reap() != nil)
  }

  @Test func input() throws {
    receive.offer([.writable(0x20000, 4)])
    receive.offer([.writable(0x20010, 4)])
    try device.process(receive.deviceSide)
    #expect(receive.reap() == nil)
    backend.input = Array("abcdef".utf8)
    device.inputReady()
    #expect(receive.reap()?.written == 4)
    #expect(receive.reap()?.written == 2)
    #expect(try memory.read(count: 4, at: 0x20000) == Array("abcd".utf8))
    #expect(try memory.read(count: 2, at: 0x20010) == Array("ef".utf8))
    // Without buffers, input stays with the host; new buffers are announced and take it.
    backend.input = [9]
    device.inputReady()
    #expect(backend.input == [9])
    receive.offer([.writable(0x20020, 4)])
    #expect(receive.wantsNotification)
    try device.process(receive.deviceSide)
    #expect(receive.reap()?.written == 1 && backend.input.isEmpty)
  }

  @Test func sizeIsInTheConfiguration() {
    #expect(Array(device.configuration.prefix(4)) == [80, 0, 25, 0])
    device.resize(columns: 300, rows: 50)
    #expect(Array(device.configuration.prefix(4)) == [44, 1, 50, 0])
    #expect(device.configuration.count == 12)
  }

  @Test func buffersOfTheWrongKindAreFaults() {
    transmit.offer([.writable(0x20000, 4)])
    #expect(throws: QueueFault.request) { try device.process(transmit.deviceSide) }
    receive.offer([.readable(0x20000, 4)])
    #expect(throws: QueueFault.request) { try device.process(receive.deviceSide) }
  }

  @Test func faultMetByTheHostsSideIsReported() {
    receive.offer([.readable(0x20000, 4)])
    device.inputReady()
    #expect(throws: QueueFault.request) { try device.process(transmit.deviceSide) }
    device.reset()
    device.inputReady()
    #expect(receive.reap() == nil)
  }
}

final class FakeConsole: ConsoleBackend {
  var output: [UInt8] = []
  var room = Int.max
  var input: [UInt8] = []

  func write(_ slices: [GuestSlice], from offset: Int) -> Int {
    let bytes = slices.flatMap { $0.bytes() }.dropFirst(offset).prefix(room)
    output += bytes
    if room != .max { room -= bytes.count }
    return bytes.count
  }

  func read(into slices: [GuestSlice]) -> Int {
    let count = slices.copy(from: input)
    input.removeFirst(count)
    return count
  }
}
