import Boot
import CLinux
import Foundation
import GuestMemory
import LittleEndian
import State
import Testing

@testable import Host
@testable import Machine

/// A state and memory in one file.
struct StateFileTests {
  private let path = FileManager.default.temporaryDirectory.appending(path: "novm-state-\(UUID().uuidString)").path
  private static let size: UInt64 = 16 << 20

  private func ram() throws -> GuestRAM { try GuestRAM(MemoryMap(size: Self.size)) }

  private func write(_ ram: GuestRAM, _ stream: [UInt8]) throws {
    let file = try StateFile(writing: .open(path, O_RDWR | O_CREAT | O_EXCL, mode: 0o600))
    try file.write(ram, stream)
  }

  private func read() throws(StateError) -> (stream: [UInt8], memory: UInt64) {
    try (try! StateFile(reading: Path(path))).read()
  }

  @Test func memoryIsPrivateAgain() throws {
    defer { unlink(path) }
    let ram = try ram()
    // Its last page, the first behind a hole, and the end of one and the beginning of the next.
    try ram.memory.store(UInt64(7), at: Self.size - 8)
    try ram.memory.store(UInt64(8), at: 5 << 20)
    try ram.memory.store(UInt64(0x0102_0304_0506_0708), at: (9 << 20) - 4)
    try write(ram, Array("stream".utf8))
    let before = try Data(contentsOf: URL(filePath: path))
    var status = stat()
    #expect(unsafe stat(path, &status) == 0)
    #expect(status.st_blocks < 64, "what is zero takes no room: \(status.st_blocks) blocks")

    let (stream, memory) = try read()
    #expect(stream == Array("stream".utf8) && memory == Self.size)
    for _ in 0..<2 {
      let copy = try self.ram()
      let file = try StateFile(reading: Path(path))
      try copy.replace(by: file.descriptor.raw)
      #expect(try copy.memory.load(UInt64.self, at: Self.size - 8) == 7)
      #expect(try copy.memory.load(UInt64.self, at: 5 << 20) == 8)
      #expect(try copy.memory.load(UInt64.self, at: (9 << 20) - 4) == 0x0102_0304_0506_0708)
      #expect(try copy.memory.load(UInt64.self, at: 12 << 20) == 0)
      for place in [UInt64(0), 5 << 20, 12 << 20, Self.size - 8] { try copy.memory.store(UInt64(1), at: place) }
    }
    #expect(try Data(contentsOf: URL(filePath: path)) == before)
  }

  @Test func whatIsCutShortIsNoState() throws {
    defer { unlink(path) }
    try write(try ram(), [UInt8](repeating: 5, count: 100))
    for size in [Int(Self.size) + 123, Int(Self.size) + 100, Int(Self.size), 24, 1, 0] {
      #expect(truncate(path, size) == 0)
      #expect(throws: StateError.notAState) { try read() }
    }
    #expect(throws: StateError.notAState) { try (try! StateFile(reading: "/dev/null")).read() }
  }

  @Test func endsThatLie() throws {
    defer { unlink(path) }
    func end(_ start: UInt64, _ length: UInt64) throws -> Result<Int, StateError> {
      var bytes = [UInt8](repeating: 1, count: 200) + Array("novmfile".utf8)
      bytes.append(field: start)
      bytes.append(field: length)
      try Data(bytes).write(to: URL(filePath: path))
      do throws(StateError) { return .success(try read().stream.count) } catch { return .failure(error) }
    }
    #expect(try end(150, 50) == .success(50))
    #expect(try end(200, 0) == .success(0))
    let lies: [(UInt64, UInt64)] = [(151, 50), (149, 50), (0, 201), (.max, 50), (.max - 20, 245), (225, 0)]
    for (start, length) in lies {
      #expect(try end(start, length) == .failure(.cutShort), "\(start) \(length)")
    }
    for length in [StateFile.streamLimit + 1, .max] { #expect(try end(150, length) == .failure(.tooLarge)) }
  }

  /// As where a disk is full, or RLIMIT_FSIZE says so.
  @Test func whatDoesNotFitTakesNoRoom() throws {
    let ram = try ram()
    try ram.memory.store(UInt64(7), at: 0)
    try ram.memory.store(UInt64(8), at: 5 << 20)
    // memfd_create(2) with MFD_ALLOW_SEALING.
    let number = "state".withCString { clinux_call(319, Int(bitPattern: $0), 2, 0, 0) }
    let file = try StateFile(writing: FileDescriptor(owning: Int32(number)))
    let raw = file.descriptor.raw
    // No write makes it longer than that: F_ADD_SEALS, F_SEAL_GROW.
    try #require(ftruncate(raw, 1 << 20) == 0 && fcntl(raw, 1033, 4) == 0)
    #expect(throws: Errno(EPERM)) { try file.write(ram, [1]) }
    var status = stat()
    #expect(fstat(raw, &status) == 0 && status.st_size == 0)
  }

  @Test func onlyEmptyFilesAreWritten() throws {
    defer { unlink(path) }
    func isTaken(_ flags: Int32, _ path: String) throws -> Bool {
      do throws(Errno) {
        _ = try StateFile(writing: FileDescriptor.open(path, flags, mode: 0o600))
        return true
      } catch {
        #expect(error == .invalid)
        return false
      }
    }
    #expect(try isTaken(O_RDWR | O_CREAT, path))
    #expect(try isTaken(O_WRONLY, path))
    #expect(try !isTaken(O_RDONLY, path))
    #expect(try !isTaken(O_WRONLY | O_APPEND, path))
    #expect(try !isTaken(O_RDWR, "/dev/null"))
    #expect(try !isTaken(O_RDONLY, "/tmp"))
    try Data([1]).write(to: URL(filePath: path))
    #expect(try !isTaken(O_RDWR, path))
  }

  @Test func shapes() throws {
    var description = MachineDescription()
    description.memory = 1 << 30
    description.processors = ProcessorTopology(cores: 3)
    let shape = MachineShape(description)
    var writer = StateWriter()
    writer.add(MachineShape.tag, shape.save())
    var reader = try StateReader(writer.finish())
    var fields = try reader.require(MachineShape.tag)
    #expect(try MachineShape(from: &fields) == shape)
    #expect(shape.difference(from: shape) == nil)
    description.memory = 2 << 30
    #expect(shape.difference(from: MachineShape(description)) == .memory(bytes: 1 << 30))
    description.memory = 1 << 30
    description.processors = ProcessorTopology(cores: 2)
    #expect(shape.difference(from: MachineShape(description)) == .processors(3))
    description.processors = ProcessorTopology(cores: 3)
    description.transport = .pci
    #expect(shape.difference(from: MachineShape(description)) == .transport)
    description.transport = .mmio
    description.discovery = .commandLine
    #expect(shape.difference(from: MachineShape(description)) == .discovery)
  }
}
