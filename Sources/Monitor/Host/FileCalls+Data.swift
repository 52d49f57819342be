import CLinux
import Glibc

/// What files and directories hold, by descriptors.
extension FileCalls {
  package static func truncate(_ descriptor: Int32, to length: UInt64) throws(Errno) {
    guard let length = Int(exactly: length) else { throw Errno(EFBIG) }
    try checked(ftruncate(descriptor, length))
  }

  /// fallocate(2).
  package static func allocate(
    _ descriptor: Int32, mode: UInt32, offset: UInt64, count: UInt64
  ) throws(Errno) {
    guard let offset = Int64(exactly: offset), let count = Int64(exactly: count) else { throw Errno(EFBIG) }
    try checked(clinux_fallocate(descriptor, Int32(bitPattern: mode), offset, count))
  }

  /// sync_file_range(2): sees to it that all that was written to the file has its blocks, and waits. Next to nothing where
  /// that is so already; it does not make a disk write its cache.
  package static func writeBack(_ descriptor: Int32) throws(Errno) {
    try checked(clinux_write_back(descriptor))
  }

  /// lseek(2) with SEEK_DATA (3) or SEEK_HOLE (4); moves the descriptor's own position, which nothing uses.
  package static func seek(_ descriptor: Int32, _ offset: UInt64, whence: UInt32) throws(Errno) -> UInt64 {
    guard let offset = Int(exactly: offset) else { throw Errno(ENXIO) }
    return UInt64(try checked(lseek(descriptor, offset, Int32(bitPattern: whence))))
  }

  /// copy_file_range(2): may copy less than asked.
  package static func copyRange(
    _ from: Int32, _ fromOffset: UInt64, to: Int32, _ toOffset: UInt64, count: UInt64
  ) throws(Errno) -> Int {
    guard var fromOffset = Int64(exactly: fromOffset), var toOffset = Int64(exactly: toOffset) else {
      throw Errno(EINVAL)
    }
    let count = Int(min(count, 0x7fff_f000))
    return try checked(unsafe clinux_copy_file_range(from, &fromOffset, to, &toOffset, count))
  }

  /// FICLONE: makes `to` share all of the data of `from`, where the file system can.
  package static func clone(_ from: Int32, to: Int32) throws(Errno) {
    try checked(clinux_ficlone(to, from))
  }

  package static func sync(_ descriptor: Int32, dataOnly: Bool) throws(Errno) {
    try checked(dataOnly ? fdatasync(descriptor) : fsync(descriptor))
  }

  package static func syncFileSystem(_ descriptor: Int32) throws(Errno) {
    try checked(clinux_syncfs(descriptor))
  }

  /// pread(2) and pwrite(2) of a buffer, for copying where nothing better works.
  package static func read(_ descriptor: Int32, at offset: UInt64, into buffer: inout [UInt8]) throws(Errno) -> Int {
    guard let offset = Int(exactly: offset) else { throw Errno(EINVAL) }
    return try checked(
      unsafe buffer.withUnsafeMutableBytes { unsafe pread(descriptor, $0.baseAddress, $0.count, offset) })
  }

  package static func write(
    _ descriptor: Int32, at offset: UInt64, _ buffer: [UInt8], count: Int
  ) throws(Errno) -> Int {
    guard let offset = Int(exactly: offset) else { throw Errno(EFBIG) }
    return try checked(
      unsafe buffer.withUnsafeBytes { unsafe pwrite(descriptor, $0.baseAddress, min(count, $0.count), offset) })
  }

  /// getdents64(2): fills `buffer` with records, returns their length; 0 at the end.
  package static func directoryEntries(_ descriptor: Int32, into buffer: inout [UInt8]) throws(Errno) -> Int {
    try checked(
      unsafe buffer.withUnsafeMutableBytes { unsafe clinux_getdents64(descriptor, $0.baseAddress, $0.count) })
  }

  /// Moves a directory's position to one that getdents64 gave, or 0 for the start.
  package static func seekDirectory(_ descriptor: Int32, to position: UInt64) throws(Errno) {
    try checked(lseek(descriptor, Int(bitPattern: UInt(position)), SEEK_SET))
  }
}
