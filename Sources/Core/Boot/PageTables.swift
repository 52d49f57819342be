import LittleEndian

/// Four-level tables that map physical memory from zero on to itself, in pages of 2 MiB (Intel SDM vol. 3A, 4.5).
///
/// The kernel wants itself, the boot parameters and the command line mapped until it loads tables of its own.
enum PageTables {
  private static let presentWritable: UInt64 = 0b11
  private static let largePage: UInt64 = 1 << 7
  private static let gigabyte: UInt64 = 1 << 30
  private static let pageSize = 4096

  /// The tables for at least `end` bytes, at most 4 GiB, as they lie from `base` on: the top one, one below, and one
  /// for each GiB.
  static func bytes(mapping end: UInt64, at base: UInt64) -> [UInt8] {
    let directories = max(1, min(4, Int(truncatingIfNeeded: (end + gigabyte - 1) / gigabyte)))
    var bytes: [UInt8] = []
    bytes.reserveCapacity((2 + directories) * pageSize)
    let page = UInt64(pageSize)
    bytes.append(field: (base + page) | presentWritable)
    pad(&bytes, to: pageSize)
    for directory in 0..<UInt64(directories) { bytes.append(field: (base + (2 + directory) * page) | presentWritable) }
    pad(&bytes, to: 2 * pageSize)
    for index in 0..<UInt64(directories * 512) { bytes.append(field: index << 21 | presentWritable | largePage) }
    return bytes
  }

  private static func pad(_ bytes: inout [UInt8], to size: Int) {
    bytes.append(contentsOf: repeatElement(0, count: size - bytes.count))
  }
}
