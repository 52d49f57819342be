/// The compression formats of kernels (`CONFIG_KERNEL_*`) and of modules (`CONFIG_MODULE_COMPRESS_*`).
package enum Compression: String, Codable, CaseIterable, Sendable {
  case gzip, xz, zstd, lz4, lzma, bzip2, lzo

  /// By the first bytes, as `scripts/extract-vmlinux` of Linux tells them apart.
  package init?(detecting bytes: [UInt8], at offset: Int = 0) {
    for format in Self.allCases where bytes.hasPrefix(format.magic, at: offset) {
      self = format
      return
    }
    return nil
  }

  private var magic: [UInt8] {
    switch self {
    case .gzip: [0x1F, 0x8B, 0x08]
    case .xz: [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00]
    case .zstd: [0x28, 0xB5, 0x2F, 0xFD]
    case .lz4: [0x02, 0x21, 0x4C, 0x18]  // The legacy frame: what `lz4 -l` writes.
    case .lzma: [0x5D, 0x00, 0x00]  // No magic: the properties of every level, and a dictionary of 64 KiB or more.
    case .bzip2: [0x42, 0x5A, 0x68]
    case .lzo: [0x89, 0x4C, 0x5A, 0x4F, 0x00, 0x0D, 0x0A, 0x1A, 0x0A]  // An lzop file.
    }
  }

  /// Decompresses `range` of `bytes` to at most `limit` bytes.
  package func decompress(
    _ bytes: [UInt8], _ range: Range<Int>, limit: Int
  ) throws(CompressionFault) -> [UInt8] {
    var output = DecompressedBytes(limit: limit)
    switch self {
    case .gzip: try gunzip(bytes, range, into: &output)
    case .xz, .lzma: try unlzma(bytes, range, alone: self == .lzma, into: &output)
    case .zstd: try unzstd(bytes, range, into: &output)
    case .lz4: try unlz4(bytes, range, into: &output)
    case .bzip2: try bunzip2(bytes, range, into: &output)
    case .lzo: try unlzop(bytes, range, into: &output)
    }
    return output.bytes
  }
}

package enum CompressionFault: Error, Equatable, Sendable {
  /// The input ends before the stream does.
  case truncated
  /// The stream breaks its format, or a checksum does not match.
  case damaged
  /// More output than `limit` allows.
  case tooLarge(limit: Int)
  /// The library had no memory.
  case outOfMemory
}
