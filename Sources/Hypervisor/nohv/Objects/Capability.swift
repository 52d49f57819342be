import FramePool
import HypercallABI

/// What a slot has: an object's address, its kind in bits 7:5, and rights in bits 4:0. Objects are at multiples of 256.
struct Capability {
  var rawValue: UInt64
  static let alignment: UInt64 = 256

  @inline(__always) init(rawValue: UInt64) { self.rawValue = rawValue }

  init<T>(_ kind: ObjectKind, _ object: Reference<T>) { rawValue = object.address | UInt64(kind.rawValue) << 5 }

  /// Whether it is one for objects of this kind, with all of `rights`: one comparison.
  @inline(__always) func allows(_ kind: ObjectKind, _ rights: UInt64) -> Bool {
    let wanted = UInt32(truncatingIfNeeded: UInt64(kind.rawValue) << 5 | rights)
    return UInt32(truncatingIfNeeded: rawValue) & (0xe0 | UInt32(truncatingIfNeeded: rights)) == wanted
  }

  @inline(__always) func object<T>(_: T.Type = T.self) -> Reference<T> {
    Reference(address: rawValue & ~(Capability.alignment &- 1))
  }

  var kind: ObjectKind? { ObjectKind(rawValue: UInt8(truncatingIfNeeded: rawValue >> 5 & 7)) }

  func with(rights: UInt8) -> UInt64 { rawValue & ~0x1f | UInt64(rights & 0x1f) }
}
