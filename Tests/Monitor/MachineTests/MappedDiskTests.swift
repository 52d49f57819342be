import Foundation
import GuestMemory
import Testing

@testable import Host
@testable import Machine

/// Files as memory, with real mappings.
struct MappedDiskTests {
  private let path = FileManager.default.temporaryDirectory.appending(path: "novm-pmem-\(UUID().uuidString)").path
  private static let size = 4 << 20

  private func map(_ options: String = "") throws(MachineError) -> MappedDisk {
    // The descriptions are those of `DiskTests`.
    try MappedDisk(try! Disk(Array((path + options).utf8), isMapped: true))
  }

  private func make(_ size: Int = size, _ byte: UInt8 = 7) throws {
    try Data(repeating: byte, count: size).write(to: URL(filePath: path))
  }

  private func contents() throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(filePath: path))) }

  @Test func memoryIsTheFiles() throws {
    try make()
    defer { unlink(path) }
    let disk = try map()
    let region = unsafe disk.region(at: 1 << 32)
    #expect(region.count == Self.size && region.isWindow)
    let memory = unsafe disk.window.bytes
    // So that huge pages can be huge ones of the guest's.
    let address = Int(bitPattern: memory.baseAddress)
    #expect(address % (2 << 20) == 0)
    #expect(unsafe memory[Self.size - 1] == 7)
    unsafe memory[Self.size - 1] = 9
    #expect(disk.flush())
    #expect(try contents().suffix(2) == [7, 9])
    #expect(throws: MachineError.self) { try map() }
    #expect(throws: MachineError.self) { try map(",ro") }
  }

  @Test func readOnlyIsAnybodys() throws {
    try make()
    defer { unlink(path) }
    let disk = try map(",ro")
    let other = try map(",ro")
    #expect(disk.isReadOnly && other.isReadOnly)
    #expect(unsafe disk.window.bytes[5] == 7)
    // What was written to it is not kept.
    #expect(!disk.flush())
  }

  @Test(arguments: [(0, "empty"), ((2 << 20) - 4096, "size"), ((2 << 20) + 512, "size"), (4097, "size")])
  func refusesSizes(_ size: Int, _ refusal: String) throws {
    try make(size)
    defer { unlink(path) }
    do throws(MachineError) {
      _ = try map()
      Issue.record("\(size) bytes")
    } catch {
      guard case .disk(_, let found) = error else { throw error }
      #expect("\(found)".hasPrefix(refusal))
    }
  }

  /// Zeros take the place of what is cut off, and nobody is told that they are kept.
  @Test(arguments: [false, true])
  func shortenedFiles(isWatched: Bool) throws {
    try make()
    defer { unlink(path) }
    let disk = try map()
    let loop = try EventLoop()
    try disk.beWatched(by: loop)
    let seen = disk.mendCount
    #expect(disk.flush() && !disk.mend(after: seen))
    try #require(truncate(path, (1 << 20) + 5) == 0)
    if isWatched { disk.ready(.readable) } else { #expect(disk.mend(after: seen)) }
    #expect(disk.mendCount == seen + 1 && disk.mend(after: seen), "another vCPU saw the same")
    #expect(!disk.mend(after: disk.mendCount))
    let memory = unsafe disk.window.bytes
    let places = unsafe [memory[(1 << 20) + 4], memory[(1 << 20) + 5], memory[2 << 20], memory[Self.size - 1]]
    #expect(places == [7, 0, 0, 0])
    unsafe memory[Self.size - 1] = 1
    #expect(!disk.flush())
    #expect(try contents().count == (1 << 20) + 5)
  }
}
