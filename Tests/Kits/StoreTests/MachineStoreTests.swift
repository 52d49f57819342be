import Foundation
import Host
import HostTesting
import Testing

@testable import Store

struct MachineStoreTests {
  let scratch: TemporaryDirectory
  let store: MachineStore

  init() throws {
    scratch = try TemporaryDirectory()
    store = MachineStore(directory: scratch.path + "/machines", runtime: scratch.path + "/runtime")
  }

  private var machines: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: store.directory)) ?? []).filter { $0 != ".lock" }
  }

  private var sockets: [String] { (try? FileManager.default.contentsOfDirectory(atPath: store.runtime)) ?? [] }

  @Test func makesAndRemovesEverything() throws {
    let machine = try store.create()
    #expect(machine.identifier.count == 12)
    #expect(machines == [machine.identifier])
    #expect(sockets == [machine.identifier])
    #expect(FileManager.default.createFile(atPath: machine.root + "/file", contents: nil))
    #expect(FileManager.default.createFile(atPath: machine.vsock, contents: nil))
    try machine.remove()
    #expect(machines.isEmpty)
    #expect(sockets.isEmpty)
  }

  @Test func isPrivateToTheUser() throws {
    let machine = try store.create()
    for path in [store.directory, store.runtime, machine.path, machine.runtime] {
      var status = stat()
      #expect(stat(path, &status) == 0)
      #expect(status.st_mode & 0o777 == 0o700, "\(path)")
    }
    try machine.remove()
  }

  @Test func sparesTheLivingAndRemovesTheDead() throws {
    let living = try store.create()
    var dead: MachineDirectory? = try store.create()
    let identifier = try #require(dead?.identifier)
    // A kill -9 closes descriptors and does nothing else.
    dead = nil
    #expect(machines.count == 2)
    #expect(try store.removeStale() == [identifier])
    #expect(machines == [living.identifier])
    #expect(sockets == [living.identifier])
    try living.remove()
  }

  @Test func finishesARemovalThatWasCutShort() throws {
    let left = "\(store.directory)/.gone-0123456789ab/root/deep"
    try FileManager.default.createDirectory(atPath: left, withIntermediateDirectories: true)
    try store.removeStale()
    #expect(machines.isEmpty)
  }

  @Test func removesADirectoryThatWasCutShortInTheMaking() throws {
    try FileManager.default.createDirectory(
      atPath: "\(store.directory)/0123456789ab", withIntermediateDirectories: true)
    #expect(try store.removeStale() == ["0123456789ab"])
    #expect(machines.isEmpty)
  }

  @Test func sparesWhatIsToBeKept() throws {
    var machine: MachineDirectory? = try store.create()
    #expect(FileManager.default.createFile(atPath: machine!.path + "/keep", contents: nil))
    machine = nil
    #expect(try store.removeStale() == [])
    #expect(machines.count == 1)
  }

  @Test func machinesAreFoundByNameAndByTheBeginningOfTheirIdentifier() throws {
    let box = try store.create(name: "box", definition: Array("{}".utf8), isKept: true)
    let other = try store.create(name: "other", isKept: true)
    #expect(try Set(store.list().map(\.name)) == ["box", "other"])
    #expect(try store.find("box").identifier == box.identifier)
    #expect(try store.find(box.identifier).read("machine.json") == Array("{}".utf8))
    let count = zip(box.identifier, other.identifier).prefix { $0 == $1 }.count
    #expect(try store.find(String(other.identifier.prefix(count + 1))).name == "other")
    #expect(throws: StoreError.noMachine("nix", known: try store.list().map(\.name))) { try store.find("nix") }
    #expect(throws: StoreError.self) { try store.find("") }
    #expect(throws: StoreError.nameTaken("box")) { try store.create(name: "box") }
    #expect(throws: StoreError.nameTaken(other.identifier)) { try store.create(name: other.identifier) }
    for name in ["", "-a", ".a", "a/b", "a b", "\u{e4}", String(repeating: "a", count: 65)] {
      #expect(throws: StoreError.machineName(name)) { try store.create(name: name) }
    }
    try store.rename(store.find("box"), to: "crate")
    #expect(try store.find("crate").identifier == box.identifier)
    #expect(throws: StoreError.nameTaken("other")) { try store.rename(store.find("crate"), to: "other") }
  }

  @Test func aKeptMachineIsOpenedAnewAfterItsEnd() throws {
    var machine: MachineDirectory? = try store.create(name: "box", isKept: true)
    let record = try store.find("box")
    #expect(record.isAlive)
    #expect(throws: StoreError.machineRuns("box")) { try store.open(record) }
    #expect(FileManager.default.createFile(atPath: machine!.vsock, contents: nil))
    machine = nil
    #expect(try store.removeStale() == [])
    #expect(try store.find("box").isAlive == false)
    let again = try store.open(record)
    // Sockets of the life before are gone.
    #expect(!FileManager.default.fileExists(atPath: again.vsock))
    #expect(try store.find("box").isAlive)
    try again.remove()
    #expect(machines.isEmpty && sockets.isEmpty)
  }

  /// As the process in the background does, which inherits the lock.
  @Test func aLockIsHandedOver() throws {
    var machine: MachineDirectory? = try store.create(name: "box", isKept: true)
    let copy = fcntl(machine!.lockDescriptor, F_DUPFD_CLOEXEC, 3)
    machine = nil
    var adopted: MachineDirectory? = try MachineDirectory(
      adopting: store.find("box"), lock: FileDescriptor(owning: copy))
    #expect(try store.find("box").isAlive && adopted?.name == "box")
    adopted = nil
    #expect(try store.find("box").isAlive == false)
  }

  /// The link in a machine's directory says which directory of sockets to remove, and only one of that name.
  @Test func aLinkThatLeadsElsewhereIsNotFollowed() throws {
    let precious = scratch.path + "/precious"
    #expect(mkdir(precious, 0o755) == 0)
    let path = "\(store.directory)/0123456789ab"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    #expect(symlink(precious, path + "/runtime") == 0)
    try store.removeStale()
    #expect(FileManager.default.fileExists(atPath: precious))
  }

  @Test func refusesADirectoryForSocketsThatOthersMayWriteTo() throws {
    #expect(mkdir(store.runtime, 0o700) == 0 && chmod(store.runtime, 0o777) == 0)
    #expect(throws: StoreError.untrustedRuntime(path: store.runtime)) { try store.create() }
  }

  @Test func namesWhatCannotBeMade() throws {
    #expect(FileManager.default.createFile(atPath: scratch.path + "/file", contents: nil))
    let blocked = MachineStore(directory: scratch.path + "/file/machines", runtime: store.runtime)
    #expect {
      try blocked.create()
    } throws: { error in
      guard case StoreError.system(.create, let path, _) = error else { return false }
      return path.hasPrefix(scratch.path + "/file")
    }
  }

  @Test func fiftyAtOnce() async throws {
    let store = store
    try await withThrowingTaskGroup(of: Void.self) { group in
      for index in 0..<50 {
        group.addTask {
          try store.removeStale()
          let machine = try store.create()
          #expect(FileManager.default.fileExists(atPath: machine.root), "swept while alive")
          // Some are killed rather than ended.
          if index % 3 != 0 { try machine.remove() }
        }
      }
      try await group.waitForAll()
    }
    try store.removeStale()
    #expect(machines.isEmpty)
    #expect(sockets.isEmpty)
  }
}
