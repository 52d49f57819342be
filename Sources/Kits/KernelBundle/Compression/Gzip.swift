import CCompression

extension Compression {
  /// A gzip member (RFC 1952); zlib checks the CRC and the size in its trailer.
  func gunzip(
    _ bytes: [UInt8], _ range: Range<Int>, into output: inout DecompressedBytes
  ) throws(CompressionFault) {
    var stream = unsafe z_stream()
    // 16: a gzip wrapper, and no other.
    let opened = unsafe inflateInit2_(&stream, 16 + MAX_WBITS, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    guard opened == Z_OK else { throw .outOfMemory }
    defer { unsafe inflateEnd(&stream) }

    try unsafe bytes.withUnsafeBufferPointer { (input) throws(CompressionFault) in
      let input = input.extracting(range)
      // zlib never writes to next_in; its type lacks the const.
      unsafe stream.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
      unsafe stream.avail_in = uInt(clamping: input.count)
      var status = Z_OK
      while status != Z_STREAM_END {
        try unsafe output.append { (buffer) throws(CompressionFault) -> Int in
          unsafe stream.next_out = buffer.baseAddress
          unsafe stream.avail_out = uInt(buffer.count)
          status = unsafe inflate(&stream, Z_NO_FLUSH)
          let produced = unsafe buffer.count - Int(stream.avail_out)
          switch status {
          case Z_OK, Z_STREAM_END: return produced
          case Z_BUF_ERROR: throw .truncated
          case Z_MEM_ERROR: throw .outOfMemory
          default: throw .damaged
          }
        }
        try output.checkLimit()
      }
    }
  }
}
