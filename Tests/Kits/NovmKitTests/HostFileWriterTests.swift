import AgentProtocol
import Foundation
import Host
import HostTesting
import Testing

@testable import NovmKit

/// Files that a guest sends, which may be hostile.
struct HostFileWriterTests {
  private let directory: TemporaryDirectory

  init() throws {
    directory = try TemporaryDirectory()
    try FileManager.default.createDirectory(atPath: directory.path + "/to", withIntermediateDirectories: true)
    try FileManager.default.createDirectory(atPath: directory.path + "/outside", withIntermediateDirectories: true)
  }

  private func file(_ path: String, mode: UInt32 = 0o644, _ text: String) -> (FileRecord, [UInt8]) {
    var record = FileRecord(.file, path: Array(path.utf8), mode: mode)
    record.size = UInt64(text.utf8.count)
    record.seconds = 1_000_000
    return (record, Array(text.utf8))
  }

  private func link(_ path: String, to target: String) -> (FileRecord, [UInt8]) {
    var record = FileRecord(.symlink, path: Array(path.utf8), mode: 0o777)
    record.target = Array(target.utf8)
    return (record, [])
  }

  private func folder(_ path: String, mode: UInt32 = 0o755) -> (FileRecord, [UInt8]) {
    (FileRecord(.directory, path: Array(path.utf8), mode: mode), [])
  }

  /// As the bytes that a guest would send.
  private func write(_ files: [(FileRecord, [UInt8])], to path: String = "/to") throws {
    var bytes: [UInt8] = []
    for (record, data) in files {
      try record.encode(into: &bytes)
      bytes += data
    }
    try FileRecord(.end).encode(into: &bytes)
    let output = FileStreamOutput(HostFileWriter(Array((directory.path + path).utf8), keepsOwners: false))
    for start in stride(from: 0, to: bytes.count, by: 100) {
      try output.write(bytes[start..<min(start + 100, bytes.count)])
    }
    #expect(output.isComplete)
  }

  private func text(_ path: String) -> String? { try? String(contentsOfFile: directory.path + path, encoding: .utf8) }
  private func names(_ path: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: directory.path + path).sorted()
  }

  @Test func treesArrive() throws {
    let long = String(repeating: "0123456789", count: 1000)
    try write([
      folder("tree", mode: 0o500), file("tree/a", mode: 0o4755, "A"), folder("tree/d"), file("tree/d/long", long),
      link("tree/l", to: "/etc"),
    ])
    #expect(text("/to/tree/a") == "A" && text("/to/tree/d/long") == long)
    #expect(try FileManager.default.destinationOfSymbolicLink(atPath: directory.path + "/to/tree/l") == "/etc")
    var status = stat()
    #expect(stat(directory.path + "/to/tree/a", &status) == 0)
    // No set-id bits, and the time that it had.
    #expect(status.st_mode & 0o7777 == 0o755 && status.st_mtim.tv_sec == 1_000_000)
    #expect(stat(directory.path + "/to/tree", &status) == 0 && status.st_mode & 0o7777 == 0o500)
    #expect(try names("/to") == ["tree"])
    // A second time over the first: files are replaced, directories merge.
    try write([folder("tree"), file("tree/a", "B"), file("tree/l", "no link any more")])
    #expect(text("/to/tree/a") == "B" && text("/to/tree/l") == "no link any more" && text("/to/tree/d/long") == long)
  }

  @Test func aNewNameStandsForTheFirst() throws {
    try write([file("a", "A")], to: "/to/b")
    try write([folder("x"), file("x/y", "Y")], to: "/to/z/")
    #expect(text("/to/b") == "A" && text("/to/z/y") == "Y")
    #expect(try names("/to") == ["b", "z"])
    #expect(throws: NovmError.self) { try write([file("a", "A")], to: "/to/missing/") }
    #expect(throws: NovmError.self) { try write([folder("x")], to: "/to/b") }
  }

  /// What lies beside the destination though its name begins alike.
  @Test func nothingLiesBesideTheNewName() throws {
    #expect(throws: NovmError.protocolViolation(.malformedRecord)) {
      try write([folder("x"), file("xtra", "out")], to: "/to/new")
    }
    #expect(throws: NovmError.protocolViolation(.malformedRecord)) {
      try write([file("x", ""), file("y", "")], to: "/to/new2")
    }
    #expect(try names("/to") == ["new", "new2"])
  }

  @Test func linksLeadNowhere() throws {
    for target in [directory.path + "/outside", "../outside", "."] {
      #expect(throws: NovmError.self) { try write([folder("t"), link("t/l", to: target), file("t/l/x", "out")]) }
      #expect(throws: NovmError.self) { try write([link("l", to: target), folder("l"), file("l/x", "out")]) }
      #expect(throws: NovmError.self) { try write([link("r", to: target), file("r/x", "out")], to: "/to/new") }
      try FileManager.default.removeItem(atPath: directory.path + "/to")
      try FileManager.default.createDirectory(atPath: directory.path + "/to", withIntermediateDirectories: true)
    }
    // One that is there already is as little followed.
    #expect(symlink(directory.path + "/outside", directory.path + "/to/there") == 0)
    #expect(throws: NovmError.self) { try write([folder("there"), file("there/x", "out")]) }
    // A file replaces it.
    try write([file("there", "in")])
    #expect(text("/to/there") == "in")
    #expect(try names("/outside") == [])
  }

  @Test func devicesAndLinksToFilesAreRefused() throws {
    var device = FileRecord(.characterDevice, path: Array("null".utf8), mode: 0o666)
    (device.major, device.minor) = (1, 3)
    #expect(throws: NovmError.self) { try write([(device, [])]) }
    var other = FileRecord(.link, path: Array("b".utf8))
    other.target = Array("a".utf8)
    #expect(throws: NovmError.self) { try write([file("a", "A"), (other, [])]) }
    #expect(try names("/to") == ["a"])
  }

  @Test func whatIsCutShortLeavesNothing() throws {
    var bytes: [UInt8] = []
    let (record, data) = file("a", "all of it")
    try record.encode(into: &bytes)
    bytes += data.dropLast()
    do {
      let output = FileStreamOutput(HostFileWriter(Array((directory.path + "/to").utf8), keepsOwners: false))
      try output.write(bytes[...])
      #expect(!output.isComplete)
      // Nor would it if the process were killed, where files need no name.
      let there = try FileDescriptor.open("\(directory.path)/to", OpenFlags.directoryPath)
      let itself = Array(".\0".utf8)
      var left = 1
      if let file = try? FileCalls.openBeneath(there.raw, itself.span, OpenFlags.temporary, mode: 0o600) {
        left = file.raw < 0 ? 1 : 0
      }
      #expect(try names("/to").count == left)
    }
    #expect(try names("/to") == [])
  }

  @Test func linksAndFIFOsArrive() throws {
    var fifo = FileRecord(.fifo, path: Array("p".utf8), mode: 0o4640)
    fifo.seconds = 1_000_000
    // New, over each other, and over a file.
    let before: [[(FileRecord, [UInt8])]] = [
      [file("l", "x"), file("p", "x")], [], [(fifo, []), link("l", to: "there")],
    ]
    for first in before {
      if !first.isEmpty { try write(first) }
      try write([link("l", to: "nowhere"), (fifo, [])])
      #expect(try FileManager.default.destinationOfSymbolicLink(atPath: directory.path + "/to/l") == "nowhere")
      var status = stat()
      #expect(lstat(directory.path + "/to/p", &status) == 0)
      #expect(status.st_mode == S_IFIFO | 0o640 && status.st_mtim.tv_sec == 1_000_000)
      #expect(try names("/to") == ["l", "p"])
      if first.isEmpty { continue }
      for name in ["l", "p"] { try FileManager.default.removeItem(atPath: "\(directory.path)/to/\(name)") }
    }
  }
}
