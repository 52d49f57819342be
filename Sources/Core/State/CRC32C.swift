/// CRC-32C (Castagnoli; RFC 3720, appendix B.4).
struct CRC32C {
  private static let table: [UInt32] = (0..<256 as Range<UInt32>).map { byte in
    var value = byte
    for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ 0x82f6_3b78 : value >> 1 }
    return value
  }

  private var state: UInt32 = 0xffff_ffff

  var value: UInt32 { ~state }

  mutating func update(_ bytes: ArraySlice<UInt8>) {
    for byte in bytes { state = state >> 8 ^ Self.table[Int((state ^ UInt32(byte)) & 0xff)] }
  }
}
