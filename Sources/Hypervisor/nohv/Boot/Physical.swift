import CMachine
import Firmware

/// All memory, which the kernel's page tables have at one place, for bytes only: frames, page tables, tables of firmware.
enum Physical {
  static let base: UInt64 = 0xffff_8000_0000_0000
  /// The image's place, and where it was loaded.
  static let image: UInt64 = 0x7fff_c000_0000
  static let load: UInt64 = 0x40_0000

  static func pointer<T>(_ address: UInt64, _: T.Type = T.self) -> UnsafeMutablePointer<T> {
    unsafe UnsafeMutablePointer(bitPattern: UInt(base &+ address)).unsafelyUnwrapped
  }

  /// The physical address of what the kernel has at `address`: in its image, or among all memory.
  static func address(_ address: UInt64) -> UInt64 {
    address >= base ? address &- base : address &- image &+ load
  }
}

/// Memory below 4 GiB, which is mapped from the first instruction of Swift on.
struct LowMemory: PhysicalMemory {
  func byte(at address: UInt64) -> UInt8? {
    guard address < 1 << 32 else { return nil }
    return unsafe Physical.pointer(address, UInt8.self).pointee
  }
}
