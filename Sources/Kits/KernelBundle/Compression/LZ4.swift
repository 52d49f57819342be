import CCompression

extension Compression {
  /// LZ4's legacy frame (lz4_Frame_format.md, "Legacy frame"): a magic number, then blocks of up to 8 MiB of output, each
  /// behind its compressed size. It has no end mark and no checksum: it ends with the input.
  func unlz4(
    _ bytes: [UInt8], _ range: Range<Int>, into output: inout DecompressedBytes
  ) throws(CompressionFault) {
    let largestBlock = 8 << 20
    let magic: UInt32 = 0x184C_2102
    var position = range.lowerBound
    while position < range.upperBound {
      guard position + 4 <= range.upperBound, let size = bytes.u32(at: position) else { throw .truncated }
      position += 4
      // Frames may follow each other.
      if size == magic { continue }
      guard let count = Int32(exactly: size), count > 0 else { throw .damaged }
      guard Int(count) <= range.upperBound - position else { throw .truncated }
      let block = position..<(position + Int(count))
      position = block.upperBound
      try unsafe bytes.withUnsafeBufferPointer { (input) throws(CompressionFault) in
        let input = input.extracting(block)
        try unsafe output.append(capacity: largestBlock) { (buffer) throws(CompressionFault) -> Int in
          // Safe: the library stays within both counts.
          let written = unsafe input.withMemoryRebound(to: CChar.self) { source in
            unsafe buffer.withMemoryRebound(to: CChar.self) { target in
              unsafe LZ4_decompress_safe(source.baseAddress, target.baseAddress, count, Int32(target.count))
            }
          }
          guard written >= 0 else { throw .damaged }
          return Int(written)
        }
      }
      try output.checkLimit()
    }
  }
}
