import CHypercall
import HypercallABI
import UserRuntime

/// A thread that recalls the machine's processor when its timer's time has come.
struct Timer {
  static let startup: UInt64 = 0x1001
  static let changed: UInt64 = 0x301
  let context: UInt64
  nonisolated(unsafe) private static var deadline: UInt64 = 0

  static func set(_ deadline: UInt64) {
    unsafe self.deadline = deadline
    _ = Kernel.up(changed)
  }

  func run() {
    while true {
      let deadline = unsafe Timer.deadline
      guard Kernel.down(Timer.changed, toZero: true, deadline: deadline).status == Status.timeout.rawValue else {
        continue
      }
      if unsafe Timer.deadline == deadline { unsafe Timer.deadline = 0 }
      _ = Kernel.raw(9, context, flags: 0)
    }
  }
}
