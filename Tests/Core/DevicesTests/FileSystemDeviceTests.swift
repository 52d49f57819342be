import GuestMemory
import State
import Testing
import Virtio
import VirtioTesting

@testable import Devices

struct FileSystemDeviceTests {
  private let memory = FakeGuestMemory(size: 1 << 20)

  @Test func servesEveryQueue() throws {
    let backend = Reverser()
    let device = FileSystemDevice(tag: Array("root".utf8), requestQueues: 2, backend: backend)
    #expect(device.queueSizes.count == 3)
    for index in 0..<3 {
      let driver = DriverQueue(memory, size: 8, index: index)
      try memory.write([1, 2, 3], at: 0x8000)
      driver.offer([.readable(0x8000, 2), .readable(0x8002, 1), .writable(0x9000, 2), .writable(0xa000, 8)])
      driver.offer([.readable(0x8000, 1)])  // No answer wanted.
      try device.process(driver.deviceSide)
      #expect(driver.reap()?.written == 3)
      #expect(driver.reap()?.written == 0)
      #expect(try memory.read(count: 2, at: 0x9000) == [3, 2])
      #expect(try memory.read(count: 2, at: 0xa000) == [1, 0])
    }
  }

  @Test func claimsAreCappedByTheRoom() throws {
    let backend = Reverser()
    backend.claim = .max
    let device = FileSystemDevice(tag: [], requestQueues: 1, backend: backend)
    let driver = DriverQueue(memory, size: 8, index: 1)
    driver.offer([.readable(0x8000, 1), .writable(0x9000, 5)])
    try device.process(driver.deviceSide)
    #expect(driver.reap()?.written == 5)
  }

  @Test func configuration() {
    let device = FileSystemDevice(tag: Array("root".utf8), requestQueues: 300, backend: Reverser())
    #expect(device.configuration == Array("root".utf8) + [UInt8](repeating: 0, count: 32) + [0x2c, 1, 0, 0])
    let long = FileSystemDevice(tag: [UInt8](repeating: 65, count: 99), requestQueues: 0, backend: Reverser())
    #expect(long.configuration == [UInt8](repeating: 65, count: 36) + [1, 0, 0, 0])
    #expect(long.queueSizes.count == 2)
  }

  @Test func theWindowIsRegionZero() {
    let plain = FileSystemDevice(tag: [], requestQueues: 1, backend: Reverser())
    #expect(plain.sharedMemory(0) == nil)
    let range: Range<UInt64> = 0x1_4000_0000..<0x1_8000_0000
    let device = FileSystemDevice(tag: [], requestQueues: 1, window: range, backend: Reverser())
    #expect(device.sharedMemory(0) == range)
    #expect(device.sharedMemory(1) == nil)
  }

  @Test func stateIsTheBackends() throws {
    let backend = Reverser()
    let device = FileSystemDevice(tag: [], requestQueues: 1, backend: backend)
    var fields = FieldWriter()
    try device.save(to: &fields)
    backend.refusal = .removedFiles(3)
    #expect(throws: StateError.removedFiles(3)) { try device.save(to: &fields) }
  }

  @Test func resetIsPassedOn() {
    let backend = Reverser()
    FileSystemDevice(tag: [], requestQueues: 1, backend: backend).reset()
    #expect(backend.disconnections == 1)
  }
}

/// Answers with the request's bytes, last one first.
final class Reverser: FileSystemBackend {
  var claim: UInt32?
  var disconnections = 0
  /// Why it cannot be saved.
  var refusal: StateError?
  private(set) var requests = 0

  func serve(readable: [GuestSlice], writable: [GuestSlice]) -> UInt32 {
    requests += 1
    let count = writable.copy(from: readable.flatMap { $0.bytes() }.reversed())
    return claim ?? UInt32(count)
  }

  func disconnected() { disconnections += 1 }

  func save(to fields: inout FieldWriter) throws(StateError) {
    if refusal != nil { throw refusal! }
    fields.put(1, UInt32(requests))
  }

  func restore(from fields: inout FieldReader) throws(StateError) {
    requests = Int(try fields.number(1, in: 0...9 as ClosedRange<UInt32>))
  }
}
