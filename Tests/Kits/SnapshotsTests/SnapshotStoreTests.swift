import Foundation
import Host
import HostTesting
import Packs
import Testing

@testable import Snapshots

struct SnapshotStoreTests {
  let scratch: TemporaryDirectory
  let store: SnapshotStore
  let record = SnapshotRecord(
    machine: "web", identifier: "0123456789ab", kernel: .init(name: "cloud", digest: "sha256:aa"),
    packs: [.init(name: "tools")])

  init() throws {
    scratch = try TemporaryDirectory()
    store = SnapshotStore(directory: scratch.path + "/snapshots")
    let tree = scratch.path + "/tree"
    #expect(mkdir(tree, 0o755) == 0 && mkdir(tree + "/etc", 0o755) == 0)
    for (name, content) in [("etc/one", "1"), ("two", "22")] {
      #expect(FileManager.default.createFile(atPath: "\(tree)/\(name)", contents: Data(content.utf8)))
    }
    #expect(link(tree + "/two", tree + "/other") == 0)
  }

  private func begin() throws -> NewSnapshot {
    let new = try store.begin()
    let state = try new.makeState()
    #expect(pwrite(state.raw, "memory", 6, 3 << 20) == 6 && ftruncate(state.raw, 8 << 20) == 0)
    try new.copy(tree: scratch.path + "/tree")
    return new
  }

  private func make(_ name: String) throws -> Snapshot {
    try begin().finish(as: name, record, definition: Array("{}".utf8), layout: Array("[]".utf8))
  }

  private var left: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: store.directory)) ?? []).filter { $0 != ".lock" }
  }

  @Test func appearsWhole() throws {
    let new = try begin()
    #expect(try store.list().isEmpty)
    #expect(left.count == 1)
    let made = try new.finish(as: "one", record, definition: Array("{}".utf8), layout: Array("[]".utf8))
    #expect(try store.list().map(\.name) == ["one"])
    let found = try store.find("one")
    #expect(found.record.machine == "web" && found.record.kernel == record.kernel && found.path == made.path)
    #expect(try found.definition() == Array("{}".utf8) && found.layout() == Array("[]".utf8))
    try found.verify()
    var status = stat()
    #expect(stat(found.path, &status) == 0 && status.st_mode & 0o777 == 0o700)
    #expect(stat(found.state, &status) == 0 && status.st_mode & 0o777 == 0o600 && status.st_blocks < 1 << 10)
    #expect(new.moved.count == 4)
    #expect(left == ["one"])
  }

  @Test func namesAreNotTakenTwice() throws {
    _ = try make("one")
    #expect(throws: SnapshotError.nameTaken("one")) { try make("one") }
    for name in ["", ".new-x", "-a", "a/b", "..", String(repeating: "a", count: 65)] {
      #expect(throws: SnapshotError.name(name)) { try store.requireFree(name) }
    }
    #expect(throws: SnapshotError.noSnapshot("two", known: ["one"])) { try store.find("two") }
    #expect(throws: SnapshotError.noSnapshot("../one", known: ["one"])) { try store.remove("../one") }
    #expect(left == ["one"])
  }

  /// As after a kill -9 and as while another is at it.
  @Test func whatIsHalfDoneIsRemovedIfNobodyIsAtIt() throws {
    var new: NewSnapshot? = try begin()
    let dead = store.directory + "/.new-dead"
    try FileManager.default.createDirectory(atPath: dead + "/root/deep", withIntermediateDirectories: true)
    try FileManager.default.createDirectory(atPath: store.directory + "/.gone-x/a", withIntermediateDirectories: true)
    #expect(try store.list().isEmpty)
    #expect(left.count == 1 && left[0] != ".new-dead")
    new = nil
    #expect(new == nil && left.isEmpty)
  }

  @Test(arguments: ["state", "root/etc/one", "machine.json", "snapshot.json", "sums"])
  func aByteThatChangedIsFound(_ file: String) throws {
    let snapshot = try make("one")
    let changed = try FileDescriptor.open("\(snapshot.path)/\(file)", O_RDWR)
    let modified = try FileCalls.status(changed.raw).modified
    var byte: [UInt8] = [0]
    let place = file == "state" ? 3 << 20 : 0
    #expect(pread(changed.raw, &byte, 1, place) == 1)
    byte[0] ^= 1
    #expect(pwrite(changed.raw, byte, 1, place) == 1)
    try FileCalls.changeTimes(changed.raw, accessed: .keep, modified: .set(modified))
    let part = file.hasPrefix("root") ? "root" : file == "sums" ? "snapshot.json" : file
    #expect(throws: SnapshotError.damaged("one", part: part)) { try snapshot.verify() }
  }

  @Test func whatIsMissingOrMoreIsFound() throws {
    let one = try make("one")
    #expect(FileManager.default.createFile(atPath: one.tree + "/etc/more", contents: nil))
    #expect(throws: SnapshotError.damaged("one", part: "root")) { try one.verify() }
    let two = try make("two")
    #expect(truncate(two.state, (8 << 20) - 1) == 0)
    #expect(throws: SnapshotError.damaged("two", part: "state")) { try two.verify() }
    let three = try make("three")
    #expect(unlink(three.tree + "/other") == 0)
    #expect(throws: SnapshotError.damaged("three", part: "root")) { try three.verify() }
  }

  /// A copy may have other holes.
  @Test func zerosAreAsGoodAsHoles() throws {
    let snapshot = try make("one")
    let state = try FileDescriptor.open(snapshot.state, O_RDWR)
    let zeros = [UInt8](repeating: 0, count: 1 << 20)
    #expect(pwrite(state.raw, zeros, zeros.count, 1 << 20) == zeros.count)
    try snapshot.verify()
  }

  @Test func whatItNeedsIsKnown() throws {
    _ = try make("one")
    #expect(try store.users(kernel: "cloud") == ["one"] && store.users(pack: "tools") == ["one"])
    #expect(try store.users(kernel: "other").isEmpty && store.users(pack: "other").isEmpty)
    try store.remove("one")
    #expect(left.isEmpty)
  }

  @Test func aNewerFormIsRefused() throws {
    var newer = record
    newer.format = 2
    _ = try begin().finish(as: "newer", newer, definition: [], layout: [])
    #expect(throws: SnapshotError.format("newer")) { try store.find("newer") }
    #expect(try store.list().isEmpty)
    #expect(throws: SnapshotError.format("newer")) { try store.users(kernel: "other") }
    try store.remove("newer")
    #expect(left.isEmpty)
  }
}
