import CMachine
import Capabilities
import FramePool
import HypercallABI
import Paging

/// The kernel's memory: one range of frames, and pools of objects cut from it.
enum Memory {
  nonisolated(unsafe) static var frames = Buddy()
  nonisolated(unsafe) static var domains = Slab(
    bytes: MemoryLayout<ProtectionDomain>.size, alignment: Capability.alignment)
  nonisolated(unsafe) static var contexts = Slab(
    bytes: MemoryLayout<Context>.size, alignment: Capability.alignment)
  nonisolated(unsafe) static var schedulings = Slab(
    bytes: MemoryLayout<SchedulingContext>.size, alignment: Capability.alignment)
  nonisolated(unsafe) static var portals = Slab(
    bytes: MemoryLayout<Portal>.size, alignment: Capability.alignment)
  nonisolated(unsafe) static var semaphores = Slab(
    bytes: MemoryLayout<Semaphore>.size, alignment: Capability.alignment)
  nonisolated(unsafe) static var machines = Slab(bytes: MemoryLayout<VirtualProcessor>.size)
  nonisolated(unsafe) static var mappings = Slab(bytes: MemoryLayout<Mapping>.size)
  /// Physical.
  nonisolated(unsafe) static var start: UInt64 = 0
  nonisolated(unsafe) static var end: UInt64 = 0

  static func open(_ start: UInt64, _ end: UInt64) {
    unsafe self.start = start
    unsafe self.end = end
    unsafe frames = Buddy(at: Physical.base &+ start, count: (end - start) / Buddy.frame)
  }

  /// A slot for an object of `domain`'s, charged to it.
  static func object<T>(_ slab: inout Slab, of domain: Reference<ProtectionDomain>) -> Reference<T>? {
    guard domain.object.quota.charge(slab.size) else { return nil }
    guard let address = unsafe slab.allocate(&frames) else {
      domain.object.quota.refund(slab.size)
      return nil
    }
    return Reference(address: address)
  }

  static func free<T>(_ object: Reference<T>, _ slab: inout Slab, of domain: Reference<ProtectionDomain>) {
    unsafe slab.free(object.address, &frames)
    domain.object.quota.refund(slab.size)
  }

  /// Frames of zeros, by the kernel's address, charged to `domain`.
  static func frame(order: Int = 0, of domain: Reference<ProtectionDomain>) -> UInt64? {
    let size = Buddy.frame << UInt64(order)
    guard domain.object.quota.charge(size) else { return nil }
    guard let address = unsafe frames.allocate(order: order) else {
      domain.object.quota.refund(size)
      return nil
    }
    zero(address, size)
    return address
  }

  static func free(frame address: UInt64, order: Int = 0, of domain: Reference<ProtectionDomain>) {
    unsafe frames.free(address, order: order)
    domain.object.quota.refund(Buddy.frame << UInt64(order))
  }

  /// Frames of zeros for the kernel itself, while it comes up.
  static func boot(order: Int = 0) -> UInt64 {
    guard let address = unsafe frames.allocate(order: order) else { panic("nohv: too little memory for the kernel") }
    zero(address, Buddy.frame << UInt64(order))
    return address
  }

  private static func zero(_ address: UInt64, _ size: UInt64) {
    unsafe m_zero_words(UnsafeMutableRawPointer(bitPattern: UInt(address)), size / 8)
  }
}

/// Frames for page tables of a domain's. A table that goes is used again only when all processors have flushed.
struct TableFrames: PageFrames {
  let domain: Reference<ProtectionDomain>

  mutating func allocate() -> UInt64? {
    Memory.frame(of: domain).map { $0 &- Physical.base }
  }
  mutating func free(_ frame: UInt64) {
    domain.object.quota.refund(Buddy.frame)
    Reclamation.frame(frame &+ Physical.base)
  }
  var window: UInt64 { Physical.base }
}

/// Frames for the kernel's own tables.
struct BootFrames: PageFrames {
  mutating func allocate() -> UInt64? { Memory.boot() &- Physical.base }
  mutating func free(_ frame: UInt64) {}
  var window: UInt64 { Physical.base }
}
