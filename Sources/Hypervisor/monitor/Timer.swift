import CHypercall
import HypercallABI
import UserRuntime

/// A thread that recalls a virtual processor when its timer's time has come. It runs where that one's handler runs, so each
/// sees what the other has written.
@safe final class Timer {
  private let context: UInt64
  private let changed: UInt64
  /// The deadline that is wanted, and the one that the thread waits for; 0 for none.
  private let words: UnsafeMutablePointer<UInt64>
  private var wanted: UInt64 { unsafe UInt64(UInt(bitPattern: words)) }
  private var armed: UInt64 { wanted + 8 }
  /// Whether the handler waits for the deadline itself.
  private var resting: UInt64 { wanted + 16 }

  init(context: UInt64, changed: UInt64) {
    self.context = context
    self.changed = changed
    unsafe words = .allocate(capacity: 3)
    unsafe words.initialize(repeating: 0, count: 3)
  }

  /// A later deadline than the one that is waited for is looked at when that has come.
  func set(_ deadline: UInt64) {
    h_store(wanted, deadline)
    let current = h_load(armed)
    if deadline != 0, current == 0 || deadline < current { _ = Kernel.up(changed) }
  }

  func rest(_ rests: Bool) { h_store(resting, rests ? 1 : 0) }

  func run() -> Never {
    var fired: UInt64 = 0
    while true {
      var deadline: UInt64
      repeat {
        deadline = h_load(wanted)
        h_store(armed, deadline == fired ? 0 : deadline)
      } while h_load(wanted) != deadline
      let status = Kernel.down(changed, toZero: true, deadline: h_load(armed)).status
      guard status == Status.timeout.rawValue, h_load(wanted) == deadline else { continue }
      fired = deadline
      if h_load(resting) == 0 { _ = Kernel.raw(9, context, flags: 0) }
    }
  }
}
