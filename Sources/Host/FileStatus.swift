import CLinux
import Glibc

/// What statx(2) tells of a file.
package struct FileStatus {
  var raw = statx()

  package init() {}

  /// Type and permissions, as in `st_mode`.
  package var mode: UInt32 {
    get { UInt32(raw.stx_mode) }
    set { raw.stx_mode = UInt16(truncatingIfNeeded: newValue) }
  }
  package var inode: UInt64 { raw.stx_ino }
  /// Major and minor number of the device that holds the file.
  package var device: UInt64 { UInt64(raw.stx_dev_major) << 32 | UInt64(raw.stx_dev_minor) }
  package var links: UInt32 {
    get { raw.stx_nlink }
    set { raw.stx_nlink = newValue }
  }
  package var uid: UInt32 {
    get { raw.stx_uid }
    set { raw.stx_uid = newValue }
  }
  package var gid: UInt32 {
    get { raw.stx_gid }
    set { raw.stx_gid = newValue }
  }
  /// Length in bytes.
  package var length: UInt64 {
    get { raw.stx_size }
    set { raw.stx_size = newValue }
  }
  /// Space used, in units of 512 bytes.
  package var blocks: UInt64 {
    get { raw.stx_blocks }
    set { raw.stx_blocks = newValue }
  }
  package var blockSize: UInt32 { raw.stx_blksize }
  package var specialMajor: UInt32 {
    get { raw.stx_rdev_major }
    set { raw.stx_rdev_major = newValue }
  }
  package var specialMinor: UInt32 {
    get { raw.stx_rdev_minor }
    set { raw.stx_rdev_minor = newValue }
  }
  package var accessed: FileTime {
    get { FileTime(raw.stx_atime) }
    set { raw.stx_atime = newValue.raw }
  }
  package var modified: FileTime {
    get { FileTime(raw.stx_mtime) }
    set { raw.stx_mtime = newValue.raw }
  }
  package var changed: FileTime {
    get { FileTime(raw.stx_ctime) }
    set { raw.stx_ctime = newValue.raw }
  }
  /// Time of creation; zero where the file system has none.
  package var born: FileTime { FileTime(raw.stx_btime) }
  package var hasBirthTime: Bool { raw.stx_mask & UInt32(clinux_STATX_BTIME) != 0 }
  /// STATX_ATTR_* flags, and which of them the file system knows.
  package var attributes: UInt64 { raw.stx_attributes }
  package var knownAttributes: UInt64 { raw.stx_attributes_mask }

  package var isDirectory: Bool { mode & FileType.mask == FileType.directory }
  package var isRegular: Bool { mode & FileType.mask == FileType.regular }
  package var isSymlink: Bool { mode & FileType.mask == FileType.symlink }
  /// overlayfs's mark for a removed name: a character device 0:0.
  package var isWhiteout: Bool {
    mode & FileType.mask == FileType.characterDevice && raw.stx_rdev_major == 0 && raw.stx_rdev_minor == 0
  }
}

/// The type bits of a mode (`S_IF…`).
package enum FileType {
  package static let mask: UInt32 = 0o170000
  package static let fifo: UInt32 = 0o010000
  package static let characterDevice: UInt32 = 0o020000
  package static let directory: UInt32 = 0o040000
  package static let blockDevice: UInt32 = 0o060000
  package static let regular: UInt32 = 0o100000
  package static let symlink: UInt32 = 0o120000
  package static let socket: UInt32 = 0o140000
}

/// A moment, as files keep it.
package struct FileTime: Equatable, Sendable {
  package var seconds: Int64
  package var nanoseconds: UInt32

  package init(seconds: Int64, nanoseconds: UInt32) {
    self.seconds = seconds
    self.nanoseconds = nanoseconds
  }

  init(_ raw: statx_timestamp) {
    seconds = raw.tv_sec
    nanoseconds = raw.tv_nsec
  }

  var raw: statx_timestamp {
    var raw = statx_timestamp()
    raw.tv_sec = seconds
    raw.tv_nsec = nanoseconds
    return raw
  }

  /// The clock that file times are taken from.
  package static func now() -> FileTime {
    var time = timespec()
    unsafe clock_gettime(CLOCK_REALTIME_COARSE, &time)
    return FileTime(seconds: Int64(time.tv_sec), nanoseconds: UInt32(time.tv_nsec))
  }
}

/// What setting a file's times does to one of them.
package enum TimeChange: Equatable, Sendable {
  case keep
  case now
  case set(FileTime)

  var raw: timespec {
    switch self {
    case .keep: timespec(tv_sec: 0, tv_nsec: Int(clinux_UTIME_OMIT))
    case .now: timespec(tv_sec: 0, tv_nsec: Int(clinux_UTIME_NOW))
    case .set(let time): timespec(tv_sec: Int(time.seconds), tv_nsec: Int(time.nanoseconds))
    }
  }
}
