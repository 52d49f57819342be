import CCompression

extension Compression {
  /// An .xz file, or with `alone` the older .lzma format.
  func unlzma(
    _ bytes: [UInt8], _ range: Range<Int>, alone: Bool, into output: inout DecompressedBytes
  ) throws(CompressionFault) {
    var stream = unsafe lzma_stream()  // LZMA_STREAM_INIT is all zeroes.
    // xz -9 of a kernel asks for 65 MiB, the widest dictionary for 1.5 GiB.
    let memoryLimit: UInt64 = 2 << 30
    let opened =
      alone
      ? unsafe lzma_alone_decoder(&stream, memoryLimit)
      : unsafe lzma_stream_decoder(&stream, memoryLimit, 0)
    guard opened == LZMA_OK else { throw .outOfMemory }
    defer { unsafe lzma_end(&stream) }

    try unsafe bytes.withUnsafeBufferPointer { (input) throws(CompressionFault) in
      let input = input.extracting(range)
      unsafe stream.next_in = input.baseAddress
      unsafe stream.avail_in = input.count
      var status = LZMA_OK
      while status != LZMA_STREAM_END {
        try unsafe output.append { (buffer) throws(CompressionFault) -> Int in
          unsafe stream.next_out = buffer.baseAddress
          unsafe stream.avail_out = buffer.count
          // All the input is there from the first call on.
          status = unsafe lzma_code(&stream, LZMA_FINISH)
          let produced = unsafe buffer.count - stream.avail_out
          switch status {
          case LZMA_OK, LZMA_STREAM_END: return produced
          case LZMA_BUF_ERROR: throw .truncated
          case LZMA_MEM_ERROR, LZMA_MEMLIMIT_ERROR: throw .outOfMemory
          default: throw .damaged
          }
        }
        try output.checkLimit()
      }
    }
  }
}
