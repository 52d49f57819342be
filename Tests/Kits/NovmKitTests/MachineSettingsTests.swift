import Foundation
import Testing

@testable import NovmKit
@testable import Store

struct MachineSettingsTests {
  @Test func hostPathsBecomeAbsolute() throws {
    var settings = MachineSettings()
    settings.read = ["/srv=>tree", "/other"]
    settings.write = ["changes"]
    settings.share = ["/work=>.:ro,notify"]
    settings.kernel = "bundles/mine"
    settings.volume = ["db=>/var/db"]
    settings.publish = ["./app:80", "8080:80"]
    let absolute = try settings.absolute(Array("/home/me".utf8))
    #expect(absolute.read == ["/srv=>/home/me/tree", "/=>/other"])
    #expect(absolute.write == ["/=>/home/me/changes"])
    #expect(absolute.share == ["/work=>/home/me/.:ro,cache=auto,notify"])
    #expect(absolute.kernel == "/home/me/bundles/mine")
    #expect(absolute.volume == settings.volume)
    #expect(absolute.publish == ["/home/me/./app:80", "8080:80"])
    // Once absolute, it means the same everywhere.
    #expect(try absolute.absolute([0x2f]) == absolute)
  }

  @Test func bytesThatAreNoTextSurvive() throws {
    var settings = MachineSettings()
    settings.read = [ByteString.string(Array("/a=>/b".utf8) + [0xff, 0xfe])]
    let definition = MachineDefinition(machine: settings)
    let back: MachineDefinition = try #require(StoredJSON.decode(definition.json))
    #expect(
      try MachineRequest(back.machine, directory: [0x2f]).reads == [
        TreeMap(guest: Array("/a".utf8), host: Array("/b".utf8) + [0xff, 0xfe])
      ])
  }

  /// A file of novm's first days: what was added since has its default, and what it does not know is left alone.
  @Test func filesOfOlderVersionsAreRead() throws {
    let old = """
      {
        "created" : "2026-11-01T10:00:00Z",
        "machine" : { "memory" : "1G", "read" : [ "/=>/srv/tree" ], "floppy" : "yes" },
        "process" : { "command" : [ "/bin/true" ] }
      }
      """
    let definition: MachineDefinition = try #require(StoredJSON.decode(Array(old.utf8)))
    var settings = MachineSettings()
    settings.memory = "1G"
    settings.read = ["/=>/srv/tree"]
    #expect(definition.machine == settings)
    #expect(definition.process?.command == ["/bin/true"])
    #expect(definition.process?.terminal == false)
    #expect(!definition.remove)
    #expect(definition.created == Date(timeIntervalSince1970: 1_793_527_200))
    let state: MachineState = try #require(StoredJSON.decode(Array(#"{ "exitStatus" : 3 }"#.utf8)))
    #expect(state.exitStatus == 3)
    #expect(!state.isReady)
    // A value of another kind is damage, not age.
    let damaged: MachineDefinition? = StoredJSON.decode(Array(#"{ "machine" : { "memory" : 7 } }"#.utf8))
    #expect(damaged == nil)
  }

  @Test func whatIsNoSettingIsRefused() {
    func refusal(_ change: (inout MachineSettings) -> Void) -> NovmError? {
      var settings = MachineSettings()
      change(&settings)
      do throws(NovmError) {
        _ = try MachineRequest(settings, directory: [0x2f])
        return nil
      } catch {
        return error
      }
    }
    #expect(refusal { $0.memory = "plenty" } == .memory("plenty"))
    #expect(refusal { $0.cpus = "two" } == .processors("two"))
    #expect(refusal { $0.cpuAffinity = "all" } == .affinity("all"))
    #expect(refusal { $0.debugInfo = "" } == .debugInformation("", .notThere(.notFound)))
    #expect(refusal { $0.numa = ["1X"] } == .node("1X"))
    #expect(refusal { ($0.numa, $0.memory) = (["1G"], "2G") } == .nodes(.memory(1024, ofMachine: 2048)))
    #expect(refusal { ($0.numa, $0.numaDistance) = (["1G"], ["0"]) } == .distance("0"))
    #expect(refusal { $0.numaDistance = ["0,1=20"] } == .distanceWithoutNodes)
    #expect(refusal { $0.dax = "wide" } == .window("wide"))
    #expect(refusal { $0.uidmap = ["1"] } == .idMap(option: "--uidmap", "1"))
    #expect(refusal { $0.read = ["a=>/b"] } != nil)
    #expect(refusal { _ in } == nil)
  }
}

struct MachineStatusTests {
  private func status(alive: Bool, _ change: ((inout MachineState) -> Void)?) -> MachineStatus {
    let record = MachineRecord(identifier: "a", name: "a", path: "/a", runtime: nil, isAlive: alive)
    var state = MachineState()
    change?(&state)
    return MachineStatus(record, change == nil ? nil : state)
  }

  @Test func ofAllLives() {
    #expect(status(alive: false, nil) == .created)
    #expect(status(alive: true, nil) == .starting)
    #expect(status(alive: true) { $0.isReady = false } == .starting)
    #expect(status(alive: true) { $0.isReady = true } == .running)
    #expect(status(alive: false) { $0.isReady = true } == .killed)
    #expect(status(alive: false) { $0.end(exitStatus: 3) } == .exited(3))
    #expect(status(alive: false) { $0.end(exitStatus: 125, error: "no") } == .failed("no"))
    // The state of the life before this one.
    #expect(status(alive: true) { $0.end(exitStatus: 0) } == .starting)
    #expect(MachineStatus.exited(3).text == "exited (3)")
  }
}
