import CMachine
import FramePool
import HypercallABI

/// An interrupt or exception of a program.
@c(kernel_interrupt) func kernelInterrupt(_ frame: UnsafeMutablePointer<m_registers>) -> UInt64 {
  let vector = unsafe frame.pointee.vector
  // Before the lock: its holder may wait for the answer.
  if vector == Vector.flush {
    Shootdown.answer()
    LocalAPIC.end()
  }
  Lock.acquire()
  let context = Reference<Context>(address: UInt64(UInt(bitPattern: frame)))
  context.object.continuation = .interrupt
  if vector >= Vector.firstInterrupt {
    Interrupts.handle(vector)
  } else if !Exceptions.handle(vector, context) {
    Portals.raise(vector, by: context)
  }
  return leave()
}

/// An interrupt of an idle processor, or a fault of the kernel itself.
@c(kernel_trap) func kernelTrap(_ frame: UnsafeMutablePointer<m_registers>) {
  let vector = unsafe frame.pointee.vector
  guard vector >= Vector.firstInterrupt else { unsafe fault(frame) }
  if vector == Vector.flush {
    Shootdown.answer()
    LocalAPIC.end()
    return
  }
  Lock.acquire()
  Interrupts.handle(vector)
  Lock.release()
}

/// NMI, double fault, machine check.
@c(kernel_fatal) func kernelFatal(_ frame: UnsafeMutablePointer<m_registers>) {
  unsafe fault(frame)
}

private func fault(_ frame: UnsafeMutablePointer<m_registers>) -> Never {
  let (vector, error) = unsafe (frame.pointee.vector, frame.pointee.error)
  let (rip, rsp) = unsafe (frame.pointee.rip, frame.pointee.rsp)
  panic(
    "nohv: panic: exception \(vector) (error \(hex: error)) at \(hex: rip), stack \(hex: rsp), cr2 \(hex: m_cr2())")
}

/// Exceptions of programs that the kernel itself answers.
enum Exceptions {
  /// Whether it did.
  static func handle(_ vector: UInt64, _ context: Reference<Context>) -> Bool {
    switch vector {
    case Vector.deviceNotAvailable: FloatingPoint.begin(context)
    case Vector.generalProtection: Ports.load(context.object.domain)
    default: false
    }
  }
}

/// External interrupts.
enum Interrupts {
  static func handle(_ vector: UInt64) {
    switch vector {
    case Vector.timer:
      LocalAPIC.end()
      Scheduler.tick()
    case Vector.reschedule:
      LocalAPIC.end()
    case Vector.flush: break
    case Vector.firstInterrupt..<Vector.firstInterrupt + Vector.interrupts:
      GlobalInterrupts.arrive(vector - Vector.firstInterrupt)
      LocalAPIC.end()
    case Vector.spurious: break
    default: LocalAPIC.end()
    }
  }
}
