import Foundation
import GuestMemory
import Host
import IOURing
import LittleEndian
import Testing
import Virtio
import VirtioTesting

@testable import Devices
@testable import Machine

/// What does a disk's requests; io_uring where this host has it.
enum DiskMeans: String, CaseIterable {
  case threads
  case rings

  static let here: [DiskMeans] = (try? IORing(entries: 4)) == nil ? [.threads] : allCases
}

/// Disks with their real files, and with threads and io_uring in turn, driven from the guest's side.
struct FileDiskTests {
  /// A queue with its disk, whose thread is the test's.
  private final class Guest: QueueNotifier, @unchecked Sendable {
    let memory = FakeGuestMemory(size: 8 << 20)
    let queue: DriverQueue
    let disk: FileDisk
    let device: BlockDevice
    private let bell = try! EventFD()

    init(
      _ path: String, _ means: DiskMeans, options: String = "", limited: (any BlockBackend) -> any BlockBackend = { $0 }
    ) throws {
      let description = try Disk(Array((path + options).utf8))
      let file = try DiskFile(description)
      disk = FileDisk(file, queueCount: 1, ignoresFlushes: description.cache == .unsafe)
      let backend = limited(disk)
      var shape = BlockShape()
      shape.isReadOnly = description.isReadOnly
      device = BlockDevice(size: try file.size(), shape: shape, queueSize: 256, backend: backend)
      disk.device = device
      if means == .rings { try #require(disk.useRings([bell])) }
      (backend as? RateLimitedDisk)?.device = device
      queue = DriverQueue(memory, size: 256)
      queue.deviceSide.notifier = self
      device.start([queue.deviceSide], features: device.features.union(.common))
    }

    func notified(queue: UInt32) { bell.signal() }

    /// Requests at once: each is what `BlockRequest.Kind` says, and has a page of data of its own.
    func ask(_ requests: [(kind: UInt32, sector: UInt64, byte: UInt8)], count: Int = 4096) throws -> [UInt8] {
      var places: [UInt16: Int] = [:]
      for (index, request) in requests.enumerated() {
        let base = GuestAddress(0x10_0000 + index * 0x4000)
        try memory.write(littleEndian(request.kind) + [0, 0, 0, 0] + littleEndian(request.sector), at: base)
        let data = base + 0x1000
        try memory.write([UInt8](repeating: request.byte, count: count), at: data)
        try memory.write([0xee], at: base + 0x20)
        let buffer: DriverBuffer = request.kind == 0 ? .writable(data, UInt32(count)) : .readable(data, UInt32(count))
        let buffers: [DriverBuffer] = [.readable(base, 16)] + (request.kind == 4 ? [] : [buffer])
        places[queue.offer(buffers + [.writable(base + 0x20, 1)])] = index
      }
      while !places.isEmpty {
        try device.process(queue.deviceSide)
        while let used = queue.reap() { #expect(places.removeValue(forKey: used.head) != nil) }
        if !places.isEmpty { try #require(bell.wait(milliseconds: 20000)) }
      }
      return try requests.indices.map { try memory.load(at: GuestAddress(0x10_0020 + $0 * 0x4000)) }
    }

    /// Serves until so many have come back.
    func serve(until count: Int) throws {
      var ended = 0
      while ended < count {
        try device.process(queue.deviceSide)
        while queue.reap() != nil { ended += 1 }
        if ended < count { try #require(bell.wait(milliseconds: 20000)) }
      }
    }

    func data(_ index: Int, _ count: Int = 4096) throws -> [UInt8] {
      try memory.read(count: count, at: GuestAddress(0x10_1000 + index * 0x4000))
    }
  }

  private func file(_ count: Int) throws -> String {
    let path = FileManager.default.temporaryDirectory.appending(path: "novm-disk-\(UUID().uuidString)").path
    try Data(count: count).write(to: URL(filePath: path))
    return path
  }

  @Test(arguments: DiskMeans.here, ["", ",cache=unsafe", ",cache=none"])
  func manyAtOnce(_ means: DiskMeans, _ options: String) throws {
    let path = try file(1 << 20)
    defer { try? FileManager.default.removeItem(atPath: path) }
    let guest: Guest
    do {
      guest = try Guest(path, means, options: options)
    } catch DiskFile.Refusal.cached {
      return  // A file system without O_DIRECT.
    }
    for round in 0..<20 {
      let writes = (0..<60).map { (kind: UInt32(1), sector: UInt64(8 * $0), byte: UInt8($0 + round)) }
      #expect(try guest.ask(writes).allSatisfy { $0 == 0 })
      #expect(try guest.ask([(4, 0, 0)]) == [0])
      let reads = (0..<60).map { (kind: UInt32(0), sector: UInt64(8 * (59 - $0)), byte: UInt8(0xff)) }
      #expect(try guest.ask(reads).allSatisfy { $0 == 0 })
      for index in 0..<60 {
        #expect(try guest.data(index) == [UInt8](repeating: UInt8(59 - index + round), count: 4096))
      }
    }
    let content = try Data(contentsOf: URL(filePath: path))
    #expect(content[0] == 19 && content[59 * 4096] == 78 && content[60 * 4096] == 0)
  }

  /// With O_DIRECT the guest's buffers need not be aligned.
  @Test(arguments: DiskMeans.here) func buffersAnywhere(_ means: DiskMeans) throws {
    let path = try file(1 << 16)
    defer { try? FileManager.default.removeItem(atPath: path) }
    guard let guest = try? Guest(path, means, options: ",cache=none") else { return }
    let base: GuestAddress = 0x10_0000
    let odd = base + 0x1003
    try guest.memory.write([UInt8](repeating: 5, count: 4096), at: odd)
    try guest.memory.write(littleEndian(UInt32(1)) + [0, 0, 0, 0] + littleEndian(UInt64(8)), at: base)
    guest.queue.offer([.readable(base, 16), .readable(odd, 4096), .writable(base + 32, 1)])
    try guest.device.process(guest.queue.deviceSide)
    #expect(guest.queue.reap() != nil)
    #expect(try guest.memory.load(UInt8.self, at: base + 32) == 0)
    try guest.memory.write(littleEndian(UInt32(0)), at: base)
    guest.queue.offer([.readable(base, 16), .writable(odd + 0x2000, 4096), .writable(base + 32, 1)])
    try guest.device.process(guest.queue.deviceSide)
    #expect(guest.queue.reap() != nil)
    #expect(try guest.memory.read(count: 4096, at: odd + 0x2000) == [UInt8](repeating: 5, count: 4096))
  }

  /// Several of them at once: none is alone, and each takes more than one step.
  @Test(arguments: DiskMeans.here) func manyBuffersAnywhere(_ means: DiskMeans) throws {
    let path = try file(1 << 16)
    defer { try? FileManager.default.removeItem(atPath: path) }
    guard let guest = try? Guest(path, means, options: ",cache=none") else { return }
    let bases = (0..<8).map { GuestAddress(0x10_0000 + $0 * 0x4000) }
    for (index, base) in bases.enumerated() {
      try guest.memory.write([UInt8](repeating: UInt8(index + 1), count: 4096), at: base + 0x1003)
      try guest.memory.write(littleEndian(UInt32(1)) + [0, 0, 0, 0] + littleEndian(UInt64(8 * index)), at: base)
      try guest.memory.write([0xee], at: base + 32)
      guest.queue.offer([.readable(base, 16), .readable(base + 0x1003, 4096), .writable(base + 32, 1)])
    }
    try guest.serve(until: bases.count)
    for base in bases { #expect(try guest.memory.load(UInt8.self, at: base + 32) == 0) }
    let content = try Data(contentsOf: URL(filePath: path))
    for index in 0..<8 {
      #expect(content[4096 * index] == UInt8(index + 1) && content[4096 * index + 4095] == UInt8(index + 1))
    }
  }

  /// What is punched out and zeroed, several at once.
  @Test(arguments: DiskMeans.here, ["", ",cache=none"])
  func discardsAndZeroes(_ means: DiskMeans, _ options: String) throws {
    let path = try file(1 << 20)
    defer { try? FileManager.default.removeItem(atPath: path) }
    try Data(repeating: 7, count: 1 << 20).write(to: URL(filePath: path))
    guard let guest = try? Guest(path, means, options: options) else {
      #expect(!options.isEmpty)  // A file system without O_DIRECT.
      return
    }
    // Sectors 0 to 15 are discarded, 16 to 31 zeroed, 32 to 47 zeroed and given back.
    let asked: [(kind: UInt32, flags: UInt32)] = [(11, 0), (13, 0), (13, 1)]
    for (index, request) in asked.enumerated() {
      let base = GuestAddress(0x10_0000 + index * 0x4000)
      try guest.memory.write(littleEndian(request.kind) + [UInt8](repeating: 0, count: 12), at: base)
      let range = littleEndian(UInt64(16 * index)) + littleEndian(UInt32(16)) + littleEndian(request.flags)
      try guest.memory.write(range, at: base + 0x1000)
      try guest.memory.write([0xee], at: base + 0x20)
      guest.queue.offer([.readable(base, 16), .readable(base + 0x1000, 16), .writable(base + 0x20, 1)])
    }
    try guest.serve(until: asked.count)
    for index in asked.indices {
      #expect(try guest.memory.load(UInt8.self, at: GuestAddress(0x10_0020 + index * 0x4000)) == 0)
    }
    let content = try Data(contentsOf: URL(filePath: path))
    #expect(content[8192..<24576].allSatisfy { $0 == 0 } && content[24576...].allSatisfy { $0 == 7 })
  }

  @Test(arguments: DiskMeans.here) func shortenedFilesFail(_ means: DiskMeans) throws {
    let path = try file(1 << 16)
    defer { try? FileManager.default.removeItem(atPath: path) }
    let guest = try Guest(path, means)
    #expect(truncate(path, 4096) == 0)
    #expect(try guest.ask([(0, 0, 0)]) == [0])
    #expect(try guest.ask([(0, 64, 0)]) == [1])
    #expect(try guest.ask([(0, 64, 0), (0, 0, 0), (0, 72, 0)]) == [1, 0, 1])
  }

  @Test(arguments: DiskMeans.here, ["", ",cache=none"])
  func resetWaitsForWhatIsUnderWay(_ means: DiskMeans, _ options: String) throws {
    let path = try file(1 << 20)
    defer { try? FileManager.default.removeItem(atPath: path) }
    guard let guest = try? Guest(path, means, options: options) else { return }
    // Descriptors of what is forgotten never come back.
    for round in 0..<5 {
      for index in 0..<16 {
        let base = GuestAddress(0x10_0000 + index * 0x4000)
        try guest.memory.write(littleEndian(UInt32(1)) + [0, 0, 0, 0] + littleEndian(UInt64(8 * index)), at: base)
        guest.queue.offer([.readable(base, 16), .readable(base + 0x1000, 4096), .writable(base + 0x20, 1)])
      }
      try guest.device.process(guest.queue.deviceSide)
      guest.device.reset()
      // Nothing ends after that.
      for index in 0..<16 { try guest.memory.write([0xdd], at: GuestAddress(0x10_0020 + index * 0x4000)) }
      guest.device.start([guest.queue.deviceSide], features: guest.device.features.union(.common))
      try guest.device.process(guest.queue.deviceSide)
      for index in 0..<16 {
        #expect(try guest.memory.load(UInt8.self, at: GuestAddress(0x10_0020 + index * 0x4000)) == 0xdd, "\(round)")
      }
      while guest.queue.reap() != nil {}
    }
  }

  @Test(arguments: DiskMeans.here) func ratesHold(_ means: DiskMeans) throws {
    let path = try file(1 << 20)
    defer { try? FileManager.default.removeItem(atPath: path) }
    let loop = try EventLoop()
    let thread = try Thread("loop") { try? loop.run() }
    defer {
      loop.stop()
      thread.join()
    }
    let guest = try Guest(
      path, means,
      limited: { disk in
        try! RateLimitedDisk(disk, rate: nil, operations: 100, queueCount: 1, loop: loop)
      })
    let begin = Timer.now
    // Ten pass at once, the others at a hundred in a second.
    let reads = (0..<40).map { (kind: UInt32(0), sector: UInt64(8 * $0), byte: UInt8(1)) }
    #expect(try guest.ask(reads).allSatisfy { $0 == 0 })
    let seconds = Double(Timer.now - begin) / 1e9
    #expect(seconds >= 0.27 && seconds < 5)
  }
}
