import AgentProtocol
import CGuest

/// What ending means to the server: the machine's end where noguest is PID 1, the process's own where it is not.
protocol Ending: AnyObject {
  /// Signals that ask this process for the end.
  var signals: [Int32] { get }
  /// Asks another process to end the machine, where that is its part. Answers whether it is.
  ///
  /// - Parameter isFirst: false if it was asked before and is still there.
  func ask(_ mode: ShutdownMode, isFirst: Bool) -> Bool
  /// Signals everything that runs; `groups` are the commands' process groups.
  func signal(_ number: Int32, groups: [Int32])
  /// Sees to it that nothing is lost by what follows.
  func settle()
  func end(_ mode: ShutdownMode) -> Never
}

extension Ending {
  var signals: [Int32] { PowerSignals.numbers }
  func ask(_ mode: ShutdownMode, isFirst: Bool) -> Bool { false }
}

/// Ends the machine.
final class MachineEnding: Ending {
  private let powerOff: (port: UInt16, value: UInt8)?

  /// - Parameter powerOff: the port and the value that switch the machine off, where its kernel knows no way.
  init(powerOff: (port: UInt16, value: UInt8)?) { self.powerOff = powerOff }

  func signal(_ number: Int32, groups: [Int32]) {
    Processes.signalAll(number)
  }

  func settle() {
    sync()
    // What is mounted last goes first. A file system without storage has nothing to lose.
    for line in ((try? Files.contents("/proc/self/mounts")) ?? []).parts(at: UInt8(ascii: "\n")).reversed() {
      let fields = line.parts(at: UInt8(ascii: " "))
      guard fields.count > 2, fields[1] != "/", !Self.volatile.contains(fields[2]) else { continue }
      try? Mount.detach(MountTable.path(fields[1]))
    }
    do throws(SystemError) { try Mount.remountReadOnly("/") } catch {
      Log.warning("cannot remount / read-only: " + error.text)
    }
  }

  func end(_ mode: ShutdownMode) -> Never {
    switch mode {
    case .powerOff, .end:
      if let powerOff {
        _ = cguest_write_port(powerOff.port, powerOff.value)
        // A kernel without ioperm(2), which would halt: starting over ends a machine, too.
        reboot(Int32(bitPattern: UInt32(RB_AUTOBOOT)))
      }
      reboot(Int32(bitPattern: UInt32(RB_POWER_OFF)))
    case .reboot: reboot(Int32(bitPattern: UInt32(RB_AUTOBOOT)))
    case .halt: reboot(Int32(bitPattern: UInt32(RB_HALT_SYSTEM)))
    }
    // reboot(2) comes back only where there is no way to do that; the end of PID 1 then panics, which ends it too.
    _exit(1)
  }

  private static let volatile: [Bytes] = [
    "proc", "sysfs", "devtmpfs", "devpts", "tmpfs", "cgroup2", "mqueue", "rootfs",
  ]
}

/// Ends the process: for an agent that runs beside others.
final class ProcessEnding: Ending {
  func signal(_ number: Int32, groups: [Int32]) {
    for group in groups { Processes.signal(group: group, number) }
  }

  func settle() { sync() }

  func end(_ mode: ShutdownMode) -> Never { _exit(0) }
}
