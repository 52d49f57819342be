import FramePool
import Scheduling

/// An SC: a priority and a budget, which a context runs with, and lends to whom it calls.
struct SchedulingContext: Schedulable {
  var references: UInt32 = 1
  let priority: UInt8
  var isReady = false
  var isDead = false
  var processor: UInt32
  var budget: Budget
  var context: Reference<Context>
  var domain: Reference<ProtectionDomain>
  var nextReady: Reference<SchedulingContext>?
  var previousReady: Reference<SchedulingContext>?
  /// Among those that wait for a context; and which.
  var nextParked: Reference<SchedulingContext>?
  var parkedOn: Reference<Context>?
  /// Ticks of calls that it made on other processors.
  var cross: UInt64 = 0
}

extension Reference where Object == SchedulingContext {
  func retain() { object.references &+= 1 }

  func release() {
    object.references &-= 1
    if object.references == 0 { SchedulingContexts.free(self) }
  }
}

enum SchedulingContexts {
  static func make(
    _ domain: Reference<ProtectionDomain>, _ context: Reference<Context>, priority: UInt8, quantum: UInt64
  ) -> Reference<SchedulingContext>? {
    guard let new: Reference<SchedulingContext> = unsafe Memory.object(&Memory.schedulings, of: domain) else {
      return nil
    }
    domain.retain()
    context.retain()
    new.object = SchedulingContext(
      priority: priority, processor: context.object.processor, budget: Budget(quantum: quantum), context: context,
      domain: domain)
    return new
  }

  /// Stands for a processor's idle time, and never runs itself.
  static func idle(_ processor: UInt32) -> Reference<SchedulingContext> {
    let idle = Scheduler.idle(processor)
    guard let new = make(Domains.kernel, idle, priority: 0, quantum: 1) else {
      panic("nohv: too little memory for the kernel")
    }
    return new
  }

  /// Its capability is gone: it runs no more.
  static func retire(_ scheduling: Reference<SchedulingContext>) {
    scheduling.object.isDead = true
    Scheduler.remove(scheduling)
    scheduling.release()
  }

  static func free(_ scheduling: Reference<SchedulingContext>) {
    let (context, domain) = (scheduling.object.context, scheduling.object.domain)
    unsafe Memory.free(scheduling, &Memory.schedulings, of: domain)
    context.release()
    domain.release()
  }
}
