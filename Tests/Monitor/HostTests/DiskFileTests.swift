import Foundation
import Testing

@testable import Host

struct DiskFileTests {
  /// A file of so many bytes, in a directory that is removed with the test's process.
  private func file(_ count: Int) throws -> String {
    let path = FileManager.default.temporaryDirectory.appending(path: "novm-disk-\(UUID().uuidString)").path
    try Data((0..<count).map { UInt8(truncatingIfNeeded: $0 * 3) }).write(to: URL(filePath: path))
    return path
  }

  private func open(_ text: String) throws(DiskFile.Refusal) -> DiskFile {
    // The descriptions are those of `DiskTests`.
    try DiskFile(try! Disk(Array(text.utf8)))
  }

  @Test func isOneMachines() throws {
    let path = try file(4096)
    defer { try? FileManager.default.removeItem(atPath: path) }
    do {
      let disk = try open(path)
      #expect(try disk.size() == 4096)
      #expect(throws: DiskFile.Refusal.inUse) { try open(path) }
      #expect(throws: DiskFile.Refusal.inUse) { try open("\(path),ro") }
    }
    // For reading it is anybody's.
    let first = try open("\(path),ro")
    _ = try open("\(path),ro")
    #expect(throws: DiskFile.Refusal.inUse) { try open(path) }
    _ = first
  }

  @Test func refusesWhatIsNoDisk() throws {
    let odd = try file(4097)
    let empty = try file(0)
    defer { for path in [odd, empty] { try? FileManager.default.removeItem(atPath: path) } }
    #expect(throws: DiskFile.Refusal.size(4097, block: 512)) { try open(odd) }
    #expect(throws: DiskFile.Refusal.empty) { try open(empty) }
    for options in ["", ",ro"] {
      #expect(throws: DiskFile.Refusal.directory) { try open("/tmp\(options)") }
      #expect(throws: DiskFile.Refusal.noDisk) { try open("/dev/null\(options)") }
      #expect(throws: DiskFile.Refusal.open(.notFound)) { try open("/tmp/novm-no-such-disk\(options)") }
      #expect(throws: DiskFile.Refusal.open(.notDirectory)) { try open("/dev/null/x\(options)") }
    }
    #expect(throws: DiskFile.Refusal.open(.badDescriptor)) { try open("fd:999") }
  }

  /// Files in which the kernel tells something: there is no end to seek, or it is the beginning.
  @Test(arguments: ["/proc/self/status", "/proc/cmdline"]) func refusesWhatHasNoSize(_ path: String) {
    #expect(throws: DiskFile.Refusal.sizeless) { try open("\(path),ro") }
  }

  @Test func aUnitBeyondTheBlocks() throws {
    let path = try file(8192)
    defer { try? FileManager.default.removeItem(atPath: path) }
    let disk = try Disk(Array(path.utf8))
    // One step to what is right, not first to whole blocks.
    try Data(count: 8191).write(to: URL(filePath: path))
    #expect(throws: DiskFile.Refusal.size(8191, block: 4096)) { try DiskFile(disk, unit: 4096) }
    try Data(count: 8192).write(to: URL(filePath: path))
    _ = try DiskFile(disk, unit: 4096)
  }

  @Test(arguments: [false, true])
  func loopDevicesOfTheHost(_ isReadOnly: Bool) throws {
    let path = try file(4096)
    let other = try file(4096)
    let link = path + "-link"
    let sys = path + "-sys"
    defer { for name in [path, other, link, sys] { try? FileManager.default.removeItem(atPath: name) } }
    try FileManager.default.linkItem(atPath: path, toPath: link)
    func attach(_ name: String, _ file: String, isReadOnly: Bool) throws {
      try FileManager.default.createDirectory(atPath: "\(sys)/\(name)/loop", withIntermediateDirectories: true)
      try Data("\(isReadOnly ? 1 : 0)\n".utf8).write(to: URL(filePath: "\(sys)/\(name)/ro"))
      try Data("\(file)\n".utf8).write(to: URL(filePath: "\(sys)/\(name)/loop/backing_file"))
    }
    let disk = try Disk(Array("\(path)\(isReadOnly ? ",ro" : "")".utf8))
    func open() throws(DiskFile.Refusal) { _ = try DiskFile(disk, unit: 1, loops: LoopDevices(directory: Path(sys))) }
    try open()  // No sysfs at all.
    try attach("loop0", other, isReadOnly: false)
    try attach("loop1", "\(path) (deleted)", isReadOnly: false)
    try attach("sda", path, isReadOnly: false)
    try FileManager.default.createDirectory(atPath: "\(sys)/loop2", withIntermediateDirectories: true)
    try open()
    // By any of its names; two that read do not harm each other.
    try attach("loop3", link, isReadOnly: true)
    if isReadOnly { try open() } else { #expect(throws: DiskFile.Refusal.loop("loop3")) { try open() } }
    try attach("loop4", link, isReadOnly: false)
    #expect(throws: DiskFile.Refusal.loop(isReadOnly ? "loop4" : "loop3")) { try open() }
  }

  @Test func fifosDoNotHoldItUp() throws {
    let path = "/tmp/novm-fifo-\(UUID().uuidString)"
    try #require(mkfifo(path, 0o600) == 0)
    defer { unlink(path) }
    #expect(throws: DiskFile.Refusal.noDisk) { try open(path) }
  }

  @Test func movesBytes() throws {
    let path = try file(8192)
    defer { try? FileManager.default.removeItem(atPath: path) }
    let disk = try open(path)
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 1024, alignment: 4096)
    defer { bytes.deallocate() }
    var vectors = IOVectors()
    vectors.append(bytes)
    #expect(try disk.read(vectors, at: 512) == 1024)
    #expect(bytes.elementsEqual((512..<1536).map { UInt8(truncatingIfNeeded: $0 * 3) }))
    for index in bytes.indices { bytes[index] = 7 }
    #expect(try disk.write(vectors, at: 4096, isDurable: true) == 1024)
    try disk.flush()
    try disk.discard(offset: 0, count: 512)
    try disk.grow(to: 16384)
    let content = try Data(contentsOf: URL(filePath: path))
    #expect(content.count == 16384 && content[4096] == 7 && content[5119] == 7 && content[0] == 0 && content[511] == 0)
    #expect(content[512] == UInt8(truncatingIfNeeded: 512 * 3))
  }
}
