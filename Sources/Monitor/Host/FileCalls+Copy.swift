/// Copies of files that keep what is cheap about them.
extension FileCalls {
  /// Copies what has data of a file to an empty one, and leaves holes where there are holes. Shares blocks where the file system can.
  ///
  /// - Parameter length: of both, in bytes.
  /// - Returns: whether all of it was there. Of a file that is shortened meanwhile the rest is a hole.
  package static func copyData(_ from: Int32, to: Int32, length: UInt64) throws(Errno) -> Bool {
    if (try? clone(from, to: to)) != nil { return true }
    var offset: UInt64 = 0
    var canCopyRange = true
    while offset < length {
      var end = length
      do throws(Errno) {
        offset = try seek(from, offset, whence: 3)
        end = min(length, try seek(from, offset, whence: 4))
      } catch {
        // Nothing but a hole is left; or this file system does not tell of holes.
        if error == .noSuchDevice { break }
      }
      while offset < end {
        var copied = 0
        if canCopyRange {
          do throws(Errno) {
            copied = try copyRange(from, offset, to: to, offset, count: end - offset)
          } catch {
            if error == .noSpace || error == .inputOutput { throw error }
            canCopyRange = false
          }
        }
        if !canCopyRange { copied = try copyThroughBuffer(from, to: to, offset, count: end - offset) }
        guard copied > 0 else {
          try truncate(to, to: length)
          return false
        }
        offset += UInt64(copied)
      }
    }
    try truncate(to, to: length)
    return true
  }

  private static func copyThroughBuffer(
    _ from: Int32, to: Int32, _ offset: UInt64, count: UInt64
  ) throws(Errno) -> Int {
    var buffer = [UInt8](repeating: 0, count: Int(min(count, 1 << 17)))
    let read = try read(from, at: offset, into: &buffer)
    var written = 0
    while written < read {
      let part = written == 0 ? buffer : [UInt8](buffer[written..<read])
      let step = try write(to, at: offset + UInt64(written), part, count: read - written)
      if step == 0 { throw .inputOutput }
      written += step
    }
    return read
  }
}
