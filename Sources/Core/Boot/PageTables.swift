import LittleEndian

/// Four-level tables that map physical memory to itself, in pages of 2 MiB (Intel SDM vol. 3A, 4.5).
///
/// The kernel wants itself, the boot parameters and the command line mapped until it loads tables of its own.
enum PageTables {
  private static let presentWritable: UInt64 = 0b11
  private static let largePage: UInt64 = 1 << 7
  private static let gigabyte: UInt64 = 1 << 30
  private static let pageSize = 4096

  /// The tables for the first GiB and for those that `range` lies in, as they lie from `base` on: the top one, one below,
  /// and one for each GiB. `range` lies in the first 512 GiB and is not longer than 3.
  static func bytes(mapping range: Range<UInt64>, at base: UInt64) -> [UInt8] {
    let first = range.lowerBound / gigabyte
    let end = max(first + 1, (range.upperBound + gigabyte - 1) / gigabyte)
    let gigabytes = (first == 0 ? [] : [0]) + Array(first..<end)
    var bytes: [UInt8] = []
    bytes.reserveCapacity((2 + gigabytes.count) * pageSize)
    let page = UInt64(pageSize)
    bytes.append(field: (base + page) | presentWritable)
    pad(&bytes, to: 2 * pageSize)
    for (index, number) in gigabytes.enumerated() {
      bytes.put((base + (2 + UInt64(index)) * page) | presentWritable, at: pageSize + Int(number) * 8)
    }
    for number in gigabytes {
      for index in number * 512..<(number + 1) * 512 { bytes.append(field: index << 21 | presentWritable | largePage) }
    }
    return bytes
  }

  private static func pad(_ bytes: inout [UInt8], to size: Int) {
    bytes.append(contentsOf: repeatElement(0, count: size - bytes.count))
  }
}
