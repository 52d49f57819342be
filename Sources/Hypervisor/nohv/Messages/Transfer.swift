import CMachine
import Capabilities
import FramePool
import HypercallABI

/// What messages carry from one context to another.
enum Transfer {
  @inline(__always) static func words(from sender: MessageBlock, to receiver: MessageBlock) {
    let count = Int(min(sender.counts & 0xffff, MessageBlock.wordLimit))
    receiver.counts = UInt64(count)
    var index = 0
    while index < count {
      receiver.setWord(index, sender.word(index))
      index &+= 1
    }
  }

  /// Words and typed items; false where there is no memory for what is delegated.
  @inline(never) static func items(from sender: Reference<Context>, to receiver: Reference<Context>) -> Bool {
    let count = sender.object.message.typed
    words(from: sender.object.message, to: receiver.object.message)
    return count == 0 || typed(from: sender, to: receiver, count: count)
  }

  /// Typed items only. The receiver's say what it got: the range, and how.
  static func typed(from sender: Reference<Context>, to receiver: Reference<Context>, count: UInt64) -> Bool {
    var tables = Tables()
    defer { tables.finish() }
    let (from, to) = (sender.object.message, receiver.object.message)
    for index in 0..<Int(min(count, 255)) {
      var item = from.item(index)
      var range = item.range
      let hotspot = item.hotspot
      var word: UInt64 = 0
      if item.action == .translate || item.action == .translateOrDelegate {
        range = translate(item.range, to.translateWindow, sender.object.domain, receiver.object.domain)
      }
      if item.action == .delegate || (item.action == .translateOrDelegate && range.kind == .none) {
        word = 1
        guard
          let got = delegate(
            item, to.delegateWindow, sender.object.domain, receiver.object.domain, &tables)
        else { return false }
        range = got
      }
      if item.action == nil { range = .null }
      item = TypedItem(range, word: hotspot << 12 | word)
      // An event's message has state where a thread's own items would be: what it got is not told there.
      if receiver.object.continuation != .told { to.setItem(index, item) }
    }
    if receiver.object.continuation != .told { to.setCounts(untyped: to.untyped, typed: min(count, 255)) }
    return true
  }

  /// Delegates what an item says through a window; nil where there is no memory for it.
  static func delegate(
    _ item: TypedItem, _ window: CapabilityRange, _ sender: Reference<ProtectionDomain>,
    _ receiver: Reference<ProtectionDomain>, _ tables: inout Tables
  ) -> CapabilityRange? {
    let rights = item.range.rights & window.rights
    // Of the kernel's own only the root task may give.
    let isRoot = unsafe sender == RootTask.domain
    let from = item.fromKernel && isRoot ? Domains.kernel : sender
    guard item.range.kind == window.kind, rights != 0, let source = from.space(item.range.kind),
      let target = receiver.space(item.range.kind), !receiver.object.isDead
    else { return .null }
    let part = item.range.meeting(window, hotspot: item.hotspot)
    do throws(MappingTree.Failure) {
      try MappingTree.delegate(
        from: source, part.source, to: target, part.target, order: part.order, rights: rights,
        attributes: UInt8(truncatingIfNeeded: item.word >> 8 & 7), &tables)
    } catch { return nil }
    return CapabilityRange(item.range.kind, base: part.target, order: part.order, rights: rights)
  }

  /// What the receiver has that the sender's came from.
  private static func translate(
    _ range: CapabilityRange, _ window: CapabilityRange, _ sender: Reference<ProtectionDomain>,
    _ receiver: Reference<ProtectionDomain>
  ) -> CapabilityRange {
    guard range.kind == window.kind, let space = sender.space(range.kind), let target = receiver.space(range.kind),
      let (found, ancestor) = MappingTree.translate(space, range.base, for: target)
    else { return .null }
    let rights = range.rights & UInt64(found.object.rights)
    guard rights != 0 else { return .null }
    // The same place, as the ancestor has it.
    let order = min(range.order, UInt64(found.object.order))
    let place = max(range.base, found.object.base) &- found.object.base &+ found.object.source
    let base = place &- ancestor.object.source &+ ancestor.object.base
    // What lies outside of the window is not to be had.
    let end = window.base &+ 1 << window.order
    guard base >= window.base, base < end else { return .null }
    return CapabilityRange(range.kind, base: base, order: min(order, window.order), rights: rights)
  }
}
