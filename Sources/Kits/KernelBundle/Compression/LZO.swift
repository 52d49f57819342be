import CCompression

extension Compression {
  /// An lzop file: a header with a checksum, then blocks of LZO1X.
  func unlzop(
    _ bytes: [UInt8], _ range: Range<Int>, into output: inout DecompressedBytes
  ) throws(CompressionFault) {
    var file = LZOPReader(bytes, range)
    let flags = try file.header()
    while let block = try file.block(flags) {
      try unsafe output.append(capacity: block.outputSize) { (buffer) throws(CompressionFault) -> Int in
        var written = lzo_uint(buffer.count)
        let status = unsafe bytes.withUnsafeBufferPointer { input in
          let input = input.extracting(block.input)
          if input.count == block.outputSize {
            // A block that did not shrink is stored.
            _ = unsafe buffer.update(fromContentsOf: input)
            return LZO_E_OK
          }
          // Safe: the library stays within both counts.
          return unsafe lzo1x_decompress_safe(
            input.baseAddress, lzo_uint(input.count), buffer.baseAddress, &written, nil)
        }
        guard status == LZO_E_OK, written == lzo_uint(block.outputSize) else { throw .damaged }
        if let expected = block.adler32 {
          guard unsafe lzo_adler32(1, buffer.baseAddress, written) == expected else { throw .damaged }
        }
        return block.outputSize
      }
      try output.checkLimit()
    }
  }
}

/// The container of lzop 1.x (conf.h and lzop.c of lzop; all fields big-endian).
private struct LZOPReader {
  struct Flags: OptionSet {
    let rawValue: UInt32
    static let adler32OfData = Flags(rawValue: 0x1)  // F_ADLER32_D
    static let adler32OfBlock = Flags(rawValue: 0x2)  // F_ADLER32_C
    static let extraField = Flags(rawValue: 0x40)  // F_H_EXTRA_FIELD
    static let crc32OfData = Flags(rawValue: 0x100)  // F_CRC32_D
    static let crc32OfBlock = Flags(rawValue: 0x200)  // F_CRC32_C
    static let filter = Flags(rawValue: 0x800)  // F_H_FILTER
  }

  struct Block {
    var input: Range<Int>
    var outputSize: Int
    var adler32: UInt32?
  }

  private static let magicSize = 9
  /// What lzop itself refuses to go beyond.
  private static let largestBlock: UInt32 = 64 << 20

  private let bytes: [UInt8]
  private let end: Int
  private var position: Int

  init(_ bytes: [UInt8], _ range: Range<Int>) {
    self.bytes = bytes
    position = range.lowerBound
    end = range.upperBound
  }

  private mutating func take(_ count: Int) throws(CompressionFault) -> Int {
    guard count <= end - position else { throw .truncated }
    defer { position += count }
    return position
  }

  private mutating func take8() throws(CompressionFault) -> Int { Int(bytes[try take(1)]) }
  private mutating func take16() throws(CompressionFault) -> UInt16 { bytes.u16BigEndian(at: try take(2)) ?? 0 }
  private mutating func take32() throws(CompressionFault) -> UInt32 { bytes.u32BigEndian(at: try take(4)) ?? 0 }

  mutating func header() throws(CompressionFault) -> Flags {
    _ = try take(Self.magicSize)
    let version = try take16()
    _ = try take16()  // Version of the library.
    if version >= 0x940 { _ = try take16() }  // Version needed to extract.
    let method = try take8()
    guard (1...3).contains(method) else { throw .damaged }  // LZO1X-1, -1(15) and -999: one decoder.
    if version >= 0x940 { _ = try take8() }  // Level.
    let flags = Flags(rawValue: try take32())
    guard flags.isDisjoint(with: [.filter, .extraField]) else { throw .damaged }
    _ = try take(version >= 0x940 ? 12 : 8)  // Mode, time.
    _ = try take(try take8())  // Name.
    _ = try take32()  // Checksum of the header; the data has its own.
    return flags
  }

  mutating func block(_ flags: Flags) throws(CompressionFault) -> Block? {
    let outputSize = try take32()
    guard outputSize != 0 else { return nil }
    let inputSize = try take32()
    guard outputSize <= Self.largestBlock, inputSize <= outputSize, inputSize > 0 else { throw .damaged }
    let adler32 = flags.contains(.adler32OfData) ? try take32() : nil
    if flags.contains(.crc32OfData) { _ = try take32() }
    if inputSize < outputSize {
      if flags.contains(.adler32OfBlock) { _ = try take32() }
      if flags.contains(.crc32OfBlock) { _ = try take32() }
    }
    let start = try take(Int(inputSize))
    return Block(input: start..<(start + Int(inputSize)), outputSize: Int(outputSize), adler32: adler32)
  }
}
