import CCompression

extension Compression {
  /// One bzip2 stream, checksums included.
  func bunzip2(
    _ bytes: [UInt8], _ range: Range<Int>, into output: inout DecompressedBytes
  ) throws(CompressionFault) {
    var stream = unsafe bz_stream()
    guard unsafe BZ2_bzDecompressInit(&stream, 0, 0) == BZ_OK else { throw .outOfMemory }
    defer { unsafe BZ2_bzDecompressEnd(&stream) }

    try unsafe bytes.withUnsafeBufferPointer { (input) throws(CompressionFault) in
      let input = input.extracting(range)
      // libbz2 never writes to next_in; its type lacks the const.
      unsafe stream.next_in = UnsafeMutableRawPointer(mutating: input.baseAddress)?
        .assumingMemoryBound(to: CChar.self)
      unsafe stream.avail_in = UInt32(clamping: input.count)
      var status = BZ_OK
      while status != BZ_STREAM_END {
        try unsafe output.append { (buffer) throws(CompressionFault) -> Int in
          unsafe stream.next_out = unsafe UnsafeMutableRawPointer(buffer.baseAddress)?
            .assumingMemoryBound(to: CChar.self)
          unsafe stream.avail_out = UInt32(buffer.count)
          status = unsafe BZ2_bzDecompress(&stream)
          let produced = unsafe buffer.count - Int(stream.avail_out)
          switch status {
          case BZ_STREAM_END: return produced
          case BZ_OK:
            // Unlike zlib, libbz2 answers OK when it has nothing left to read.
            if unsafe produced < buffer.count && stream.avail_in == 0 { throw .truncated }
            return produced
          case BZ_MEM_ERROR: throw .outOfMemory
          default: throw .damaged
          }
        }
        try output.checkLimit()
      }
    }
  }
}
