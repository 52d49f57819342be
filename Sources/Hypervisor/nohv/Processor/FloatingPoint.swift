import CMachine
import FramePool

/// Floating-point state. A context that never used it runs with CR0.TS set, has none, and costs nothing. The registers keep a
/// context's until another that has its own needs them: so a guest comes back to its own from a monitor that has none.
enum FloatingPoint {
  @inline(__always) static func change(to new: Reference<Context>) {
    guard new.object.floating != 0 else {
      if m_cr0() & 1 << 3 == 0 { m_set_cr0(m_cr0() | 1 << 3) }
      return
    }
    if unsafe m_processor().pointee.floating != new.address { return load(new) }
    // VMRUN has the guest's own CR0.
    if !new.object.isGuest { m_clts() }
  }

  /// Puts a context's state into the registers, and what they have where it belongs.
  @inline(never) private static func load(_ new: Reference<Context>) {
    m_clts()
    let old = unsafe m_processor().pointee.floating
    if old != 0 { save(Reference<Context>(address: old).object.floating) }
    restore(new.object.floating)
    unsafe m_processor().pointee.floating = new.address
  }

  /// A context is gone: nothing of it is to be saved.
  static func forget(_ context: Reference<Context>) {
    guard context.object.floating != 0 else { return }
    let processor = unsafe Processors.at(Int(context.object.processor))
    if unsafe processor.pointee.floating == context.address { unsafe processor.pointee.floating = 0 }
    Memory.free(frame: context.object.floating, of: context.object.domain)
  }

  /// Gives a context state as it is after FNINIT; false where there is no memory for it.
  static func make(_ context: Reference<Context>) -> Bool {
    guard context.object.floating == 0, let area = Memory.frame(of: context.object.domain) else { return false }
    context.object.floating = area
    unsafe UnsafeMutablePointer<UInt16>(bitPattern: UInt(area)).unsafelyUnwrapped.pointee = 0x37f
    unsafe UnsafeMutablePointer<UInt32>(bitPattern: UInt(area &+ 24)).unsafelyUnwrapped.pointee = 0x1f80
    return true
  }

  /// The first use by the current context: false where there is no memory for its state, or it was not the first.
  static func begin(_ context: Reference<Context>) -> Bool {
    guard make(context) else { return false }
    load(context)
    return true
  }

  private static func save(_ area: UInt64) {
    let pointer = unsafe UnsafeMutableRawPointer(bitPattern: UInt(area))
    if unsafe Features.xsave { unsafe m_xsave(pointer) } else { unsafe m_fxsave(pointer) }
  }

  private static func restore(_ area: UInt64) {
    let pointer = unsafe UnsafeRawPointer(bitPattern: UInt(area))
    if unsafe Features.xsave { unsafe m_xrstor(pointer) } else { unsafe m_fxrstor(pointer) }
  }
}
