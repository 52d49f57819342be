import Glibc
import Host

/// Moves the data of files.
package enum FileData {
  /// Copies all of a file: its extents where the file system can share them, else its bytes, leaving out blocks of zeros.
  package static func copy(_ from: Int32, to: Int32, length: UInt64) throws(Errno) {
    if (try? FileCalls.clone(from, to: to)) != nil { return }
    var offset: UInt64 = 0
    var buffer = [UInt8](repeating: 0, count: blockSize)
    while true {
      let count = try FileCalls.read(from, at: offset, into: &buffer)
      if count == 0 { break }
      try write(buffer, count, to: to, at: offset)
      offset += UInt64(count)
    }
    try FileCalls.truncate(to, to: offset)
  }

  /// Writes bytes at their place, or nothing if they are all zero; the file's length is for the caller to set.
  package static func write(_ buffer: [UInt8], _ count: Int, to descriptor: Int32, at offset: UInt64) throws(Errno) {
    if isZero(buffer, count) { return }
    var written = 0
    while written < count {
      let rest = written == 0 ? buffer : Array(buffer[written..<count])
      let step = try FileCalls.write(descriptor, at: offset + UInt64(written), rest, count: count - written)
      if step == 0 { throw .inputOutput }
      written += step
    }
  }

  package static let blockSize = 1 << 18

  private static func isZero(_ buffer: [UInt8], _ count: Int) -> Bool {
    guard count > 0, buffer[0] == 0 else { return false }
    // A block whose bytes all equal the one before them.
    return unsafe buffer.withUnsafeBytes { unsafe memcmp($0.baseAddress!, $0.baseAddress! + 1, count - 1) == 0 }
  }
}
