import CMachine
import FramePool
import HypercallABI

/// Hypercall 9, on contexts.
enum ContextControl {
  /// Nil where the caller goes on later, or elsewhere.
  static func call(_ context: Reference<Context>, _ selector: UInt64, _ flags: UInt64) -> Status? {
    if flags == 1 {
      context.object.finish(.success)
      Scheduler.yield()
      return nil
    }
    let capability = context.object.domain[selector]
    guard capability.allows(.executionContext, Right.controlContext) else { return .badCapability }
    let target = capability.object(Context.self)
    switch flags {
    case 0: return recall(context, target)
    case 2: return help(context, target)
    case 3:
      Scheduler.interrupt(target.object.processor)
      return .success
    case 5: return time(context, target)
    case 6: return state(context, target, set: false)
    case 7: return state(context, target, set: true)
    // Migration is not there yet; a processor's registers are its kernel's business.
    case 4, 8: return .badFeature
    default: return .badParameter
    }
  }

  private static func recall(_ context: Reference<Context>, _ target: Reference<Context>) -> Status {
    if context.object.registers.rsi == 1 {
      guard !target.object.isGuest else { return .badParameter }
      ThreadState.load(context.object.message, from: target, .init(rawValue: context.object.message[32]))
      return .success
    }
    target.object.hazard |= Hazard.recall
    if target != context { Scheduler.interrupt(target.object.processor) }
    return .success
  }

  /// The caller's time goes to who has a lock, if it still has.
  private static func help(_ context: Reference<Context>, _ target: Reference<Context>) -> Status? {
    guard target.object.processor == context.object.processor, target != context else { return .badProcessor }
    guard context.object.registers.rsi == target.object.message.threadLocal else { return .success }
    context.object.finish(.success)
    switch target.object.continuation {
    case .waiting, .dead, .blocked: return .success
    default:
      guard Scheduler.help(target) else { return .success }
      return nil
    }
  }

  private static func time(_ context: Reference<Context>, _ target: Reference<Context>) -> Status {
    let time = Clock.microseconds(ticks: target.object.time)
    context.object.registers.rsi = time >> 32
    context.object.registers.rdx = time & 0xffff_ffff
    return .success
  }

  private static func state(_ context: Reference<Context>, _ target: Reference<Context>, set: Bool) -> Status {
    guard target.object.isGuest else { return .badParameter }
    // Its state is the processor's, then.
    guard !target.isRunning else { return .timeout }
    let message = context.object.message
    let descriptor = MessageDescriptor(rawValue: message[MessageBlock.State.descriptor])
    if set {
      VirtualProcessors.store(message, to: target, descriptor)
    } else {
      VirtualProcessors.load(message, from: target, descriptor)
    }
    return .success
  }
}
