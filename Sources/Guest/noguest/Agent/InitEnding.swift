import AgentProtocol
import CGuest

/// Has the tree's own init end the machine.
final class InitEnding: Ending {
  private let machine: MachineEnding

  init(_ machine: MachineEnding) { self.machine = machine }

  /// None: init's way to end this process is SIGTERM, like any other's.
  var signals: [Int32] { [] }

  func ask(_ mode: ShutdownMode, isFirst: Bool) -> Bool {
    if Self.isSystemd {
      // As often as asked: one that is just starting has no ear for it yet.
      Processes.signal(1, PowerSignals.ofSystemd(mode))
      return true
    }
    // Nobody's programs are to have a say in that.
    guard mode != .end else { return false }
    if isFirst { Self.runProgram(mode) }
    return true
  }

  func signal(_ number: Int32, groups: [Int32]) { machine.signal(number, groups: groups) }
  func settle() { machine.settle() }
  func end(_ mode: ShutdownMode) -> Never { machine.end(mode) }

  static var isSystemd: Bool {
    let program = Files.linkTarget("/proc/1/exe") ?? []
    return program.parts(at: UInt8(ascii: "/")).last == "systemd"
  }

  /// `poweroff`, `reboot` or `halt`: each init comes with programs of these names that know how to ask it.
  private static func runProgram(_ mode: ShutdownMode) {
    guard (try? Processes.fork()) == .some(nil) else { return }
    Signals.restoreDefaults()
    let name = PowerSignals.program(mode)
    for directory in Environment.defaultPath.parts(at: UInt8(ascii: ":")) {
      _ = Processes.execute(directory + "/" + name, [name], ["PATH=" + Environment.defaultPath, "HOME=/"])
    }
    // What busybox's init takes for the same.
    Processes.signal(1, PowerSignals.ofBusybox(mode))
    _exit(0)
  }
}
