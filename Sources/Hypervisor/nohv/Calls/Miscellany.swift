import CMachine
import Capabilities
import FramePool
import HypercallABI

/// Hypercall 8: lookup, delegation on behalf of others, suspend.
enum Miscellany {
  static func call(_ context: Reference<Context>, _ selector: UInt64, _ flags: UInt64) -> Status {
    switch flags {
    case 0: lookup(context)
    case 1: delegate(context, selector)
    case 2: .badFeature
    default: .badParameter
    }
  }

  /// What the caller has at the range's base: the range of the whole mapping, or none.
  private static func lookup(_ context: Reference<Context>) -> Status {
    let range = CapabilityRange(rawValue: context.object.registers.rsi)
    var found = CapabilityRange.null
    if let mapping = context.object.domain.space(range.kind)?.object.find(range.base) {
      found = CapabilityRange(
        range.kind, base: mapping.object.base, order: UInt64(mapping.object.order),
        rights: UInt64(mapping.object.rights))
    }
    context.object.registers.rsi = found.rawValue
    return .success
  }

  /// Gives what one domain has to another, as the items in the caller's message block say.
  private static func delegate(_ context: Reference<Context>, _ selector: UInt64) -> Status {
    let domain = context.object.domain
    let registers = context.object.registers
    let (from, to) = (domain[selector], domain[registers.rdx])
    guard from.kind == .protectionDomain, to.kind == .protectionDomain else { return .badCapability }
    let window = CapabilityRange(rawValue: registers.rsi)
    let (source, target) = (from.object(ProtectionDomain.self), to.object(ProtectionDomain.self))
    guard !target.object.isDead else { return .badCapability }
    var tables = Tables()
    defer { tables.finish() }
    let message = context.object.message
    for index in 0..<Int(min(message.typed, 255)) {
      let item = message.item(index)
      guard item.action == .delegate || item.action == .translateOrDelegate else { continue }
      guard Transfer.delegate(item, window, source, target, &tables) != nil else { return .outOfQuota }
    }
    return .success
  }
}
