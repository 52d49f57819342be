/// An object of the kernel's, in a slot of a pool.
///
/// Safe by the kernel's rule: an object is let go only when nothing refers to it any more, and while the kernel's lock is held.
@safe package struct Reference<Object: ~Copyable>: Equatable {
  package let pointer: UnsafeMutablePointer<Object>

  @inline(__always) package init(_ pointer: UnsafeMutablePointer<Object>) { unsafe self.pointer = unsafe pointer }

  /// The address must be an object's.
  @inline(__always) package init(address: UInt64) {
    unsafe pointer = unsafe UnsafeMutablePointer(bitPattern: UInt(address)).unsafelyUnwrapped
  }

  @inline(__always) package var address: UInt64 { unsafe UInt64(UInt(bitPattern: pointer)) }

  @inline(__always) package var object: Object {
    unsafeAddress { unsafe UnsafePointer(pointer) }
    nonmutating unsafeMutableAddress { unsafe pointer }
  }

  @inline(__always) package static func == (left: Self, right: Self) -> Bool { left.address == right.address }
}
