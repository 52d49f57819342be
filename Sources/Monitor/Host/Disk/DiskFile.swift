import CLinux
import Glibc

/// An open disk: a regular file or a block device that this process has for itself, or for reading along with others.
package final class DiskFile: Sendable {
  /// Why something is no disk for a machine.
  package enum Refusal: Error, Equatable, Sendable {
    case open(Errno)
    /// It may only be read.
    case readOnly(Errno)
    case directory
    /// Neither a regular file nor a block device.
    case noDisk
    case empty
    /// There is something to be read, of no size: a file of /proc.
    case sizeless
    /// Bytes that are no whole number of blocks.
    case size(UInt64, block: UInt32)
    /// Another process has it, or another disk of this machine is the same.
    case inUse
    /// A loop device of the host has it, by this name.
    case loop(String)
    /// The file system cannot go past the page cache.
    case cached
  }

  package let isReadOnly: Bool
  /// Whether transfers go past the page cache: from `blockSize` on, in whole blocks.
  package let isDirect: Bool
  package let isBlockDevice: Bool
  /// Bytes of the smallest transfer, of the disk's own blocks, and of transfers that are good for it (0 if it does not say).
  package let blockSize: UInt32
  package let physicalBlockSize: UInt32
  package let minimumTransfer: UInt32
  package let optimalTransfer: UInt32
  private let descriptor: FileDescriptor

  private static let sector: UInt32 = 512

  /// The number, for io_uring.
  package var raw: Int32 { descriptor.raw }

  /// - Parameter unit: bytes of which it must be a multiple, beyond its blocks.
  package convenience init(_ disk: Disk, unit: UInt32 = 1) throws(Refusal) {
    try self.init(disk, unit: unit, loops: LoopDevices())
  }

  init(_ disk: Disk, unit: UInt32, loops: LoopDevices) throws(Refusal) {
    isReadOnly = disk.isReadOnly
    isDirect = disk.cache == .none
    let descriptor = try Self.open(disk)
    let status: FileStatus
    do throws(Errno) { status = try FileCalls.status(descriptor.raw) } catch { throw .open(error) }
    switch status.mode & FileType.mask {
    case FileType.regular: isBlockDevice = false
    case FileType.blockDevice: isBlockDevice = true
    case FileType.directory: throw .directory
    default: throw .noDisk
    }
    if isBlockDevice {
      blockSize = Self.power(clinux_block_size(descriptor.raw)) ?? Self.sector
      physicalBlockSize = max(Self.power(clinux_physical_block_size(descriptor.raw)) ?? 0, blockSize)
      minimumTransfer = clinux_minimum_transfer(descriptor.raw)
      optimalTransfer = clinux_optimal_transfer(descriptor.raw)
    } else {
      let direct = isDirect ? Self.power(clinux_direct_alignment(descriptor.raw)) : nil
      blockSize = direct ?? Self.sector
      physicalBlockSize = max(min(Self.power(status.blockSize) ?? 0, 65536), blockSize)
      minimumTransfer = 0
      optimalTransfer = 0
    }
    self.descriptor = descriptor
    if clinux_lock_file(self.descriptor.raw, isReadOnly ? 0 : 1) != 0 {
      // A file system that knows no locks gives all it is asked for.
      let error = Errno.current
      if error == .wouldBlock || error == .accessDenied { throw .inUse }
    }
    if let name = loops.user(of: status, isReadOnly: isReadOnly) { throw .loop(name) }
    let size = try self.size()
    if size == 0 { throw hasContent ? .sizeless : .empty }
    let unit = max(unit, blockSize)
    if size % UInt64(unit) != 0 { throw .size(size, block: unit) }
  }

  private static func open(_ disk: Disk) throws(Refusal) -> FileDescriptor {
    var flags = (disk.isReadOnly ? O_RDONLY : O_RDWR) | O_NOCTTY | O_NONBLOCK
    if disk.cache == .none { flags |= Int32(clinux_O_DIRECT) }
    do throws(Errno) {
      switch disk.source {
      case .file(let path):
        let descriptor = try FileDescriptor.open(path, flags)
        guard !disk.isReadOnly, try FileCalls.status(descriptor.raw).mode & FileType.mask == FileType.blockDevice else {
          return descriptor
        }
        // So that nobody mounts it meanwhile. For a regular file it would mean something else.
        return try FileDescriptor.open(path, flags | O_EXCL)
      case .descriptor(let number):
        let mode = try checked(fcntl(number, F_GETFL))
        if !disk.isReadOnly, mode & O_ACCMODE != O_RDWR { throw Errno(EROFS) }
        let descriptor = FileDescriptor(owning: number)
        if disk.cache == .none { try checked(fcntl(number, F_SETFL, mode | Int32(clinux_O_DIRECT))) }
        return descriptor
      }
    } catch {
      switch error {
      case .isDirectory: throw .directory
      case .noSuchDevice: throw .noDisk
      case .busy: throw .inUse
      case .invalid where disk.cache == .none: throw .cached
      case .accessDenied, .readOnly, .notPermitted:
        guard !disk.isReadOnly, case .file(let path) = disk.source, Self.isReadable(path) else { fallthrough }
        throw .readOnly(error)
      default: throw .open(error)
      }
    }
  }

  private var hasContent: Bool {
    var byte: [UInt8] = [0]
    return (try? FileCalls.read(descriptor.raw, at: 0, into: &byte)) == 1
  }

  private static func isReadable(_ path: Path) -> Bool {
    do throws(Errno) {
      _ = try FileDescriptor.open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK).raw
      return true
    } catch {
      return false
    }
  }

  private static func power(_ number: UInt32) -> UInt32? {
    number >= sector && number & (number - 1) == 0 ? number : nil
  }

  /// Bytes that it has now.
  package func size() throws(Refusal) -> UInt64 {
    do throws(Errno) {
      // Nothing uses the position that this moves.
      return UInt64(try checked(lseek(descriptor.raw, 0, SEEK_END)))
    } catch {
      throw error == .invalid ? .sizeless : .open(error)
    }
  }

  /// Gives a regular file more bytes, which are zero.
  package func grow(to size: UInt64) throws(Errno) { try FileCalls.truncate(descriptor.raw, to: size) }

  /// Shows all of it in memory, from the window's first byte on; what is written there is the file's, unless it is
  /// read-only.
  ///
  /// - Parameter size: of the file.
  /// - Throws: `ENODEV` for a file system that cannot do that.
  package func show(in window: FileWindow, size: UInt64) throws(Errno) {
    try window.show(descriptor.raw, from: 0, at: 0, count: Int(clamping: size), isWritable: !isReadOnly)
  }

  /// Has others' writes to it told.
  package func add(to watch: FileWatch) throws(Errno) { _ = try watch.add(descriptor.raw) }

  // MARK: Transfers, in place

  /// preadv2(2) with RWF_NOWAIT: what is in the page cache; the number of bytes, 0 where none can be had at once.
  package func readCached(_ vectors: borrowing IOVectors, at offset: Int64) -> Int {
    guard holdsInCache else { return 0 }
    return max(vectors.readCached(from: descriptor.raw, at: offset), 0)
  }

  /// The same for one piece.
  @unsafe package func readCached(_ piece: UnsafeMutableRawBufferPointer, at offset: Int64) -> Int {
    guard holdsInCache else { return 0 }
    var vector = unsafe iovec(iov_base: piece.baseAddress, iov_len: piece.count)
    return max(unsafe clinux_preadv2(descriptor.raw, &vector, 1, offset, 8), 0)
  }

  /// Whether `readCached` may find something.
  package var holdsInCache: Bool { !isDirect && !isBlockDevice }

  package func read(_ vectors: borrowing IOVectors, at offset: Int64) throws(Errno) -> Int {
    try vectors.read(from: descriptor.raw, at: offset)
  }

  @unsafe package func read(_ piece: UnsafeMutableRawBufferPointer, at offset: Int64) throws(Errno) -> Int {
    try checked(unsafe pread(descriptor.raw, piece.baseAddress, piece.count, Int(offset)))
  }

  /// - Parameter isDurable: on stable storage when this returns.
  @unsafe package func write(
    _ piece: UnsafeMutableRawBufferPointer, at offset: Int64, isDurable: Bool
  ) throws(Errno) -> Int {
    var vector = unsafe iovec(iov_base: piece.baseAddress, iov_len: piece.count)
    let flags = isDurable ? WriteFlags.dataSynchronous : []
    return try checked(unsafe clinux_pwritev2(descriptor.raw, &vector, 1, offset, flags.rawValue))
  }

  /// - Parameter isDurable: on stable storage when this returns.
  package func write(_ vectors: borrowing IOVectors, at offset: Int64, isDurable: Bool) throws(Errno) -> Int {
    try vectors.write(to: descriptor.raw, at: offset, synchronous: isDurable ? .dataSynchronous : [])
  }

  /// fdatasync(2): what was written before is on stable storage.
  package func flush() throws(Errno) { try FileCalls.sync(descriptor.raw, dataOnly: true) }

  /// fallocate(2): gives the room of these bytes back; they are zero then.
  package func discard(offset: UInt64, count: UInt64) throws(Errno) {
    try allocate(clinux_FALLOC_PUNCH_HOLE, offset, count)
  }

  /// The same, but their room is kept.
  package func zero(offset: UInt64, count: UInt64) throws(Errno) {
    try allocate(clinux_FALLOC_ZERO_RANGE, offset, count)
  }

  private func allocate(_ mode: some BinaryInteger, _ offset: UInt64, _ count: UInt64) throws(Errno) {
    let mode = UInt32(mode) | UInt32(clinux_FALLOC_KEEP_SIZE)
    try FileCalls.allocate(descriptor.raw, mode: mode, offset: offset, count: count)
  }
}
