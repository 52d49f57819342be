import LittleEndian

/// What a PVH kernel is told: `struct hvm_start_info`, version 1, with its memory map and module list behind it
/// (Xen, public/arch-x86/hvm/start_info.h).
enum StartInfo {
  private static let magic: UInt32 = 0x336e_c578
  private static let size: UInt64 = 56
  private static let moduleSize: UInt64 = 32

  /// The bytes as they lie from `base` on.
  static func bytes(
    at base: UInt64, commandLine: UInt64, initramfs: Range<UInt64>?, rsdp: UInt64?, memory: [MemoryMap.Entry]
  ) -> [UInt8] {
    let modules = base + size
    let map = modules + (initramfs == nil ? 0 : moduleSize)
    var bytes: [UInt8] = []
    bytes.append(field: magic)
    bytes.append(field: UInt32(1))  // version
    bytes.append(field: UInt32(0))  // flags
    bytes.append(field: UInt32(initramfs == nil ? 0 : 1))
    bytes.append(field: initramfs == nil ? 0 : modules)
    bytes.append(field: commandLine)
    bytes.append(field: rsdp ?? 0)
    bytes.append(field: map)
    bytes.append(field: UInt32(memory.count))
    bytes.append(field: UInt32(0))
    if let initramfs {
      bytes.append(field: initramfs.lowerBound)
      bytes.append(field: initramfs.upperBound - initramfs.lowerBound)
      bytes.append(field: UInt64(0))  // no command line of its own
      bytes.append(field: UInt64(0))
    }
    for entry in memory {
      bytes.append(field: entry.range.lowerBound)
      bytes.append(field: entry.range.upperBound - entry.range.lowerBound)
      bytes.append(field: entry.kind.rawValue)  // the numbers are those of E820
      bytes.append(field: UInt32(0))
    }
    return bytes
  }
}
