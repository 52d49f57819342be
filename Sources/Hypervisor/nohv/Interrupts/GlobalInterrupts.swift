import CMachine
import FramePool

/// GSIs as semaphores of the kernel's, which it gives away by delegation.
enum GlobalInterrupts {
  nonisolated(unsafe) static var semaphores = InlineArray<192, Reference<Semaphore>?>(repeating: nil)

  /// A level stays up until a driver has seen to its device: it is masked until the driver waits for the next.
  static func arrive(_ gsi: UInt64) {
    guard gsi < Vector.interrupts, let semaphore = unsafe semaphores[Int(gsi)] else { return }
    if unsafe gsi < InputAPIC.limit, InputAPIC.isLevel(gsi) { InputAPIC.set(gsi, masked: true) }
    Semaphores.up(semaphore)
  }

  /// A driver waits for the next.
  static func expect(_ gsi: UInt64) {
    if unsafe gsi < InputAPIC.limit, InputAPIC.isLevel(gsi) { InputAPIC.set(gsi, masked: false) }
  }
}
