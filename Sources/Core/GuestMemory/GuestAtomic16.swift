import Synchronization

/// A 16-bit field that device and driver both touch: a ring's index, flags or event.
///
/// Virtio 1.2, 2.7.13 asks for barriers around these; here they are acquire and release accesses, with a full fence
/// where a store must be seen before a later load.
@safe
public struct GuestAtomic16: @unchecked Sendable {
  @usableFromInline let cell: UnsafePointer<Atomic<UInt16>>

  /// - Throws: `misaligned` for an odd address, `outside` for one without RAM.
  @inlinable
  public init(_ memory: GuestMemory, at address: GuestAddress) throws(GuestMemoryError) {
    guard address & 1 == 0 else { throw .misaligned(address: address) }
    let slice = try memory.slice(at: address, count: 2)
    guard !slice.isWindow else { throw .outside(address: address, count: 2) }
    // In range, aligned (regions begin on pages), and `Atomic<UInt16>` has the layout of `UInt16`.
    unsafe cell = UnsafeRawPointer(slice.start!).assumingMemoryBound(to: Atomic<UInt16>.self)
  }

  @inlinable
  public func load() -> UInt16 {
    UInt16(littleEndian: unsafe cell.pointee.load(ordering: .acquiring))
  }

  @inlinable
  public func store(_ value: UInt16) {
    unsafe cell.pointee.store(value.littleEndian, ordering: .releasing)
  }

  /// Orders every earlier store before every later load, in both directions.
  @inlinable
  public static func fence() {
    atomicMemoryFence(ordering: .sequentiallyConsistent)
  }
}
