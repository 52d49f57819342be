import Host

/// `--cgroup WHERE[,slack=SIZE][,cpus=N][,pids=N][,io=BYTES]`: what a machine's monitor may take of the host, held by a control group of its
/// own.
package struct ControlGroupRequest: Equatable, Sendable {
  package enum Place: Equatable, Sendable {
    /// Below the group that systemd has delegated to this process; else, for root, below one of novm's.
    case auto
    /// A directory of a cgroup file system.
    case path(String)
  }

  package var place = Place.auto
  /// What the monitor may have beside the guest's memory, in bytes: its own, and what the host's kernel holds for it.
  package var slack: UInt64 = 256 << 20
  /// Processors; nil for one more than the guest has, for its devices.
  package var processors: Int?
  /// Processes and threads; nil for as many as a machine has use for.
  package var processes: Int?
  /// Bytes a second, read and written each, of each disk of the host's; nil for no limit.
  package var transfers: UInt64?

  /// For a machine.
  func limits(of machine: MachineDescription) -> ControlGroup.Limits {
    let count = machine.processors.count
    // A thread a vCPU, up to four a tree's and a disk's queues, the loop, and those that come and go for disks and passt's ports.
    return ControlGroup.Limits(
      memory: UInt64(machine.memory.mebibytes) << 20 + slack, processors: processors ?? count + 1,
      processes: processes ?? count + 256, transfers: transfers)
  }

  package static let mend =
    "give auto or a directory of a cgroup file system, and slack=SIZE, cpus=N, pids=N or io=BYTES (a second) behind it"

  /// nil for what is none.
  package init?(_ text: String) {
    let words = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    switch words[0] {
    case "auto": break
    case let path where path.hasPrefix("/") && !path.contains("\0"): place = .path(path)
    default: return nil
    }
    for word in words.dropFirst() {
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      guard parts.count == 2 else { return nil }
      switch parts[0] {
      case "slack":
        guard let size = Quantity.parse(parts[1], in: 16 << 20...1 << 50) else { return nil }
        slack = UInt64(size)
      case "cpus":
        guard let count = Int(parts[1]), (1...4096).contains(count) else { return nil }
        processors = count
      case "pids":
        guard let count = Int(parts[1]), (16...1 << 20).contains(count) else { return nil }
        processes = count
      case "io":
        guard let size = Quantity.parse(parts[1], in: 4096...1 << 50) else { return nil }
        transfers = UInt64(size)
      default: return nil
      }
    }
  }
}
