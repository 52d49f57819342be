import CLinux
import Glibc

/// What statx(2) tells of a file.
package struct FileStatus {
  /// Type and permissions, as in `st_mode`.
  package var mode: UInt32 = 0
  package var links: UInt32 = 0
  package var uid: UInt32 = 0
  package var gid: UInt32 = 0
  package private(set) var inode: UInt64 = 0
  /// Major and minor number of the device that holds the file.
  package private(set) var device: UInt64 = 0
  /// Length in bytes.
  package var length: UInt64 = 0
  /// Space used, in units of 512 bytes.
  package var blocks: UInt64 = 0
  package private(set) var blockSize: UInt32 = 0
  package var specialMajor: UInt32 = 0
  package var specialMinor: UInt32 = 0
  package private(set) var hasBirthTime = false
  package var accessed = FileTime(seconds: 0, nanoseconds: 0)
  package var modified = FileTime(seconds: 0, nanoseconds: 0)
  package var changed = FileTime(seconds: 0, nanoseconds: 0)
  /// Time of creation; zero where the file system has none.
  package private(set) var born = FileTime(seconds: 0, nanoseconds: 0)
  /// STATX_ATTR_* flags, and which of them the file system knows.
  package private(set) var attributes: UInt64 = 0
  package private(set) var knownAttributes: UInt64 = 0

  package init() {}

  /// Keeps of the kernel's 256 bytes what is used, since these are copied often.
  init(_ raw: borrowing statx) {
    mode = UInt32(raw.stx_mode)
    links = raw.stx_nlink
    uid = raw.stx_uid
    gid = raw.stx_gid
    inode = raw.stx_ino
    device = UInt64(raw.stx_dev_major) << 32 | UInt64(raw.stx_dev_minor)
    length = raw.stx_size
    blocks = raw.stx_blocks
    blockSize = raw.stx_blksize
    specialMajor = raw.stx_rdev_major
    specialMinor = raw.stx_rdev_minor
    hasBirthTime = raw.stx_mask & UInt32(clinux_STATX_BTIME) != 0
    accessed = FileTime(raw.stx_atime)
    modified = FileTime(raw.stx_mtime)
    changed = FileTime(raw.stx_ctime)
    born = FileTime(raw.stx_btime)
    attributes = raw.stx_attributes
    knownAttributes = raw.stx_attributes_mask
  }

  package var isDirectory: Bool { mode & FileType.mask == FileType.directory }
  package var isRegular: Bool { mode & FileType.mask == FileType.regular }
  package var isSymlink: Bool { mode & FileType.mask == FileType.symlink }
  /// chattr(1), `a` (STATX_ATTR_APPEND, linux/stat.h).
  package var isAppendOnly: Bool { attributes & 0x20 != 0 }
  /// chattr(1), `a` and `i` (also STATX_ATTR_IMMUTABLE): what may not be removed.
  package var isLocked: Bool { attributes & 0x30 != 0 }
  /// overlayfs's mark for a removed name: a character device 0:0.
  package var isWhiteout: Bool {
    mode & FileType.mask == FileType.characterDevice && specialMajor == 0 && specialMinor == 0
  }

  mutating func becomeWhiteout() {
    mode = FileType.characterDevice
    (specialMajor, specialMinor, length) = (0, 0, 0)
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
package struct FileTime: Comparable, Sendable {
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

  package static func < (one: FileTime, other: FileTime) -> Bool {
    (one.seconds, one.nanoseconds) < (other.seconds, other.nanoseconds)
  }

  /// The clock that file times are taken from.
  package static func now() -> FileTime { FileTime(of: CLOCK_REALTIME_COARSE) }

  /// The same clock between its ticks, which no file's time of before is after (multigrain timestamps, Linux 6.13).
  package static func nowPrecisely() -> FileTime { FileTime(of: CLOCK_REALTIME) }

  private init(of clock: clockid_t) {
    var time = timespec()
    unsafe clock_gettime(clock, &time)
    self.init(seconds: Int64(time.tv_sec), nanoseconds: UInt32(time.tv_nsec))
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
