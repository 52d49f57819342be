import CMachine
import Capabilities
import FramePool
import HypercallABI
import Paging
import Scheduling

/// How a context goes on when it runs next.
enum Continuation: UInt8 {
  /// A handler that waits for a call.
  case waiting
  /// Back from a hypercall.
  case hypercall
  /// Back from an interrupt.
  case interrupt
  /// Into the guest.
  case guest
  /// An event is to be told by its portal.
  case event
  /// It waits for a reply to its call.
  case called
  /// It waits for a reply to an event.
  case told
  /// It waits on a semaphore.
  case blocked
  /// It calls for a context on another processor.
  case calling
  /// That call is done, or failed.
  case done
  case idle
  case dead
}

/// An EC: a thread, or a virtual processor. What entry.S saves is its beginning.
struct Context: Timed {
  var registers = m_registers()
  var guest = m_virtual()

  var continuation: Continuation
  var isGuest = false
  /// Takes a scheduling context of its own, beyond the first.
  var isGlobal = false
  var isDead = false
  var hazard: UInt32 = 0
  var processor: UInt32
  var references: UInt32 = 1
  /// The page tables' root.
  var root: UInt64
  var domain: Reference<ProtectionDomain>
  /// As the kernel has it, and as its program has it.
  var message: MessageBlock
  var messageAddress: UInt64 = 0
  var eventBase: UInt64 = 0

  /// Whom it has called.
  var partner: Reference<Context>?
  /// Who has called it.
  var caller: Reference<Context>?
  /// The number of the event that it tells, or told.
  var event: UInt64 = 0
  /// For a call to another processor: what it is done for.
  var origin: Reference<Context>?

  /// Scheduling contexts that wait for it to run again.
  var parked: Reference<SchedulingContext>?

  var semaphore: Reference<Semaphore>?
  var nextWaiting: Reference<Context>?
  var previousWaiting: Reference<Context>?
  var deadline: UInt64 = 0
  var heapChild: Reference<Context>?
  var heapNext: Reference<Context>?
  var heapPrevious: Reference<Context>?

  /// Ticks that it ran.
  var time: UInt64 = 0
  /// Where floating-point state is saved; 0 while it has none.
  var floating: UInt64 = 0
  /// Where a virtual processor's is.
  var machine: Reference<VirtualProcessor>?

  @inline(__always) mutating func finish(_ status: Status) { registers.rdi = status.rawValue }
}

extension Reference where Object == Context {
  func retain() { object.references &+= 1 }

  func release() {
    object.references &-= 1
    // One that a processor still is at is let go by that.
    if object.references == 0, !isRunning { Contexts.free(self) }
  }

  /// Whether its processor has its registers and page tables.
  var isRunning: Bool { unsafe Processors.at(Int(object.processor)).pointee.current == address }

  static var current: Reference<Context> { Reference(address: m_current()) }
}

enum Contexts {
  /// A new context of `domain`'s; its message block, unless it is 0, is mapped at `block`.
  static func make(
    _ domain: Reference<ProtectionDomain>, processor: UInt32, block: UInt64, charged: Reference<ProtectionDomain>
  ) -> (Reference<Context>?, Status) {
    guard let context: Reference<Context> = unsafe Memory.object(&Memory.contexts, of: domain) else {
      return (nil, .outOfQuota)
    }
    guard let frame = Memory.frame(of: domain) else {
      unsafe Memory.free(context, &Memory.contexts, of: domain)
      return (nil, .outOfQuota)
    }
    if block != 0 {
      var frames = TableFrames(domain: domain)
      do throws(PageTable.Failure) {
        try domain.object.table.map(
          block, to: frame &- Physical.base, frames: 1, [.readable, .writable, .user], &frames)
      } catch {
        Memory.free(frame: frame, of: domain)
        unsafe Memory.free(context, &Memory.contexts, of: domain)
        return (nil, error == .noFrames ? .outOfQuota : .badParameter)
      }
    }
    fill(
      context, domain, processor, unsafe MessageBlock(UnsafeMutablePointer(bitPattern: UInt(frame)).unsafelyUnwrapped))
    context.object.messageAddress = block
    return (context, .success)
  }

  static func fill(
    _ context: Reference<Context>, _ domain: Reference<ProtectionDomain>, _ processor: UInt32, _ block: MessageBlock
  ) {
    domain.retain()
    context.object = Context(
      continuation: .waiting, processor: processor, root: domain.object.table.root, domain: domain, message: block)
    context.object.registers.cs = Descriptors.userCode
    context.object.registers.ss = Descriptors.userData
    context.object.registers.rflags = 0x202
  }

  /// Its capability is gone. Who waits for it hears so; it is freed when nothing refers to it any more.
  static func retire(_ context: Reference<Context>) {
    context.object.isDead = true
    Semaphores.forget(context)
    context.object.continuation = .dead
    // Whom it called keeps on with that, and replies to nobody.
    if let partner = context.object.partner {
      partner.object.caller = nil
      context.object.partner = nil
    }
    Portals.abort(callerOf: context)
    Scheduler.unpark(context)
    if context.isRunning {
      // Its next entry would have it go on as if nothing were.
      context.object.hazard |= Hazard.dead
      Scheduler.interrupt(context.object.processor)
    }
    context.release()
  }

  static func free(_ context: Reference<Context>) {
    let domain = context.object.domain
    FloatingPoint.forget(context)
    if let machine = context.object.machine { VirtualProcessors.free(machine, of: domain) }
    if context.object.origin == nil {
      if context.object.messageAddress != 0 {
        var frames = TableFrames(domain: domain)
        domain.object.table.change(context.object.messageAddress, frames: 1, [], &frames)
        Shootdown.flush(domain)
        Reclamation.finish()
      }
      Memory.free(frame: unsafe UInt64(UInt(bitPattern: context.object.message.words)), of: domain)
    }
    unsafe Memory.free(context, &Memory.contexts, of: domain)
    domain.release()
  }
}
