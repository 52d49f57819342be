import Testing

@testable import Novm
@testable import NovmKit

/// What the library tells of what a machine takes.
struct LibraryUsageTests {
  @Test func whatMonitorsHoldIsThere() {
    var machine = MachineUsage(id: "a", name: "a", status: "running", hostMemory: 1)
    let silent = Usage(machine)
    #expect(silent.hostMemory == 1 && silent.nodes == nil && silent.streams == nil && silent.written == nil)
    machine.monitor = MonitorUsage("usage nodes=12 streams=3 written=1/1000/7 written=500/1000/7")
    let usage = Usage(machine)
    #expect(usage.nodes == 12 && usage.streams == 3 && usage.written == 500 && usage.writeLimit == 1000)
    // Without --write-limit.
    machine.monitor = MonitorUsage("usage nodes=1")
    #expect(Usage(machine).nodes == 1 && Usage(machine).written == nil && Usage(machine).writeLimit == nil)
  }
}
