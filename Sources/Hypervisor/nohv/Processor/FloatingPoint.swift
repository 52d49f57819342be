import CMachine
import FramePool

/// Floating-point state. A context that never used it runs with CR0.TS set, has none, and costs nothing; from its first use on,
/// its state is saved and restored eagerly, so that none is in registers of another's.
enum FloatingPoint {
  @inline(never) static func change(from old: Reference<Context>, to new: Reference<Context>) {
    if old.object.floating != 0 { save(old.object.floating) }
    if new.object.floating != 0 {
      m_clts()
      restore(new.object.floating)
    } else {
      m_set_cr0(m_cr0() | 1 << 3)
    }
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
    m_clts()
    restore(context.object.floating)
    return true
  }

  static func save(_ area: UInt64) {
    let pointer = unsafe UnsafeMutableRawPointer(bitPattern: UInt(area))
    if unsafe Features.xsave { unsafe m_xsave(pointer) } else { unsafe m_fxsave(pointer) }
  }

  static func restore(_ area: UInt64) {
    let pointer = unsafe UnsafeRawPointer(bitPattern: UInt(area))
    if unsafe Features.xsave { unsafe m_xrstor(pointer) } else { unsafe m_fxrstor(pointer) }
  }
}
