import CCompression

extension Compression {
  /// Zstandard frames (RFC 8878). The kernel is built with `zstd --ultra -22`: a window of up to 128 MiB, which is as
  /// far as the decoder goes by default.
  func unzstd(
    _ bytes: [UInt8], _ range: Range<Int>, into output: inout DecompressedBytes
  ) throws(CompressionFault) {
    guard let stream = unsafe ZSTD_createDStream() else { throw .outOfMemory }
    defer { unsafe ZSTD_freeDStream(stream) }

    try unsafe bytes.withUnsafeBufferPointer { (input) throws(CompressionFault) in
      let input = input.extracting(range)
      var source = unsafe ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
      var hint = 1  // 0 at the end of a frame, else a guess at what the next call wants.
      while unsafe hint != 0 || source.pos < source.size {
        try unsafe output.append { (buffer) throws(CompressionFault) -> Int in
          let consumed = unsafe source.pos
          var target = unsafe ZSTD_outBuffer(dst: buffer.baseAddress, size: buffer.count, pos: 0)
          hint = unsafe ZSTD_decompressStream(stream, &target, &source)
          if ZSTD_isError(hint) != 0 { throw .damaged }
          if hint != 0, unsafe source.pos == consumed, unsafe target.pos == 0 { throw .truncated }
          return unsafe target.pos
        }
        try output.checkLimit()
      }
    }
  }
}
