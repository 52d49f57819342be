import CHypercall
import HypercallABI
import UserRuntime

// A root task that is a driver of the PC's timer: fifty lines that docs/microhypervisor.md explains. It takes ports and an
// interrupt of the kernel's, hears the interrupt as a semaphore, and reports to COM1.

private enum Timer {
  static let ports = CapabilityRange(.ports, base: 0x40, order: 2)
  /// ISA's interrupt 0 is GSI 2 where firmware says so, as on every PC of today.
  static let interrupt: UInt64 = 2
  static let semaphore: UInt64 = 0x200

  /// Takes what the driver needs, by items that name the kernel as giver (bit 11).
  static func take(_ block: MessageBlock) {
    let own = CapabilityRange(.objects, base: semaphore, order: 0)
    let source = CapabilityRange(.objects, base: Root.interrupts + interrupt, order: 0)
    let port = Kernel.delegate(ports, to: ports, bits: 1 << 11, block)
    let given = Kernel.delegate(source, to: own, bits: 1 << 11, block)
    // The interrupt comes to processor 0, on an edge.
    let assigned = Kernel.raw(0xe, semaphore, flags: 4, 0, 0, 0).status
    Suite.expect("ports, an interrupt, and where it goes", port | given | assigned, 0)
  }

  /// 1.193182 MHz divided down to about `hertz`, again and again (Intel 8254, mode 2).
  static func start(hertz: UInt64) {
    let divisor = 1_193_182 / hertz
    h_out8(0x43, 0x34)
    h_out8(0x40, UInt8(truncatingIfNeeded: divisor))
    h_out8(0x40, UInt8(truncatingIfNeeded: divisor >> 8))
  }

  /// Waits for the next tick; false where none comes within a second.
  static func wait() -> Bool {
    Kernel.down(semaphore, deadline: h_rdtsc() + Information.kilohertz * 1000).isSuccess
  }
}

@c(user_main) func userMain(_ processor: UInt64, _ information: UInt64) {
  Suite.begin()
  let foreign = Kernel.raw(0xe, Root.suspendSemaphore, 0, 0).status
  Suite.expect("a semaphore that is no interrupt", foreign, Status.badCapability.rawValue)
  Timer.take(Suite.block)
  Timer.start(hertz: 100)
  Suite.expect("a tick", Timer.wait())
  let start = h_rdtsc()
  for _ in 0..<10 { Suite.expect("a tick", Timer.wait()) }
  let milliseconds = (h_rdtsc() - start) / Information.kilohertz
  Console.line("driver: milliseconds for ten ticks", milliseconds)
  Suite.expect("about a hundred", milliseconds >= 90 && milliseconds <= 110)
  Suite.end()
}

@c(user_portal) func userPortal(_ id: UInt64, _ address: UInt64) {}
@c(user_thread) func userThread(_ argument: UInt64) {}
