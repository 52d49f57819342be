/// The value of `user.containers.override_stat`, as containers/storage and fuse-overlayfs write it:
/// `UID:GID:MODE[:TYPE]`, ids decimal, mode octal, and type one of `file`, `dir`, `symlink`, `pipe`, `socket`,
/// `block-MAJOR-MINOR`, `char-MAJOR-MINOR`.
package struct OverrideStat: Equatable, Sendable {
  package var uid: UInt32
  package var gid: UInt32
  /// Permissions (07777) and type.
  package var mode: UInt32
  package var major: UInt32 = 0
  package var minor: UInt32 = 0

  /// A mode bit that means nothing on a regular file (S_ISVTX): of root's files only one that has it has a record.
  package static let standsBeside: UInt32 = 0o1000

  package init(uid: UInt32, gid: UInt32, mode: UInt32, major: UInt32 = 0, minor: UInt32 = 0) {
    self.uid = uid
    self.gid = gid
    self.mode = mode
    self.major = major
    self.minor = minor
  }

  package init(_ status: FileStatus) {
    self.init(
      uid: status.uid, gid: status.gid, mode: status.mode, major: status.specialMajor, minor: status.specialMinor)
  }

  /// - Parameter hostType: the type bits of the file that carries the value; they hold when it names no other.
  /// - Returns: nil for bytes of another form.
  package init?(parsing bytes: Span<UInt8>, hostType: UInt32) {
    var cursor = Cursor(bytes: bytes)
    guard let uid = cursor.number(base: 10), cursor.take(":"), let gid = cursor.number(base: 10), cursor.take(":"),
      let mode = cursor.number(base: 8)
    else { return nil }
    self.init(uid: uid, gid: gid, mode: mode & 0o7777 | hostType)
    guard !cursor.isAtEnd else { return }
    guard cursor.take(":") else { return nil }
    var type: UInt32
    if cursor.take("file") {
      type = FileType.regular
    } else if cursor.take("dir") {
      type = FileType.directory
    } else if cursor.take("symlink") {
      type = FileType.symlink
    } else if cursor.take("pipe") {
      type = FileType.fifo
    } else if cursor.take("socket") {
      type = FileType.socket
    } else {
      if cursor.take("block-") {
        type = FileType.blockDevice
      } else if cursor.take("char-") {
        type = FileType.characterDevice
      } else {
        return nil
      }
      guard let major = cursor.number(base: 10), cursor.take("-"), let minor = cursor.number(base: 10) else {
        return nil
      }
      (self.major, self.minor) = (major, minor)
    }
    // Only a regular file can stand for something else: a directory is one, whatever is written beside it.
    if hostType != FileType.regular || type == FileType.directory || type == FileType.symlink { type = hostType }
    self.mode = mode & 0o7777 | type
  }

  /// Whether it is overlayfs's mark for a removed name (`FileStatus.isWhiteout`).
  package var isWhiteout: Bool { mode & FileType.mask == FileType.characterDevice && major == 0 && minor == 0 }

  package var bytes: [UInt8] {
    var text = "\(uid):\(gid):0\(String(mode & 0o7777, radix: 8))"
    switch mode & FileType.mask {
    case FileType.directory: text += ":dir"
    case FileType.fifo: text += ":pipe"
    case FileType.socket: text += ":socket"
    case FileType.symlink: text += ":symlink"
    case FileType.blockDevice: text += ":block-\(major)-\(minor)"
    case FileType.characterDevice: text += ":char-\(major)-\(minor)"
    default: text += ":file"
    }
    return [UInt8](text.utf8)
  }

  /// Takes the permissions that the host has given a new file, and keeps set-id bits and the type.
  package mutating func keepPermissions(of host: FileStatus) {
    mode = mode & ~0o777 | host.mode & 0o777
  }

  package func apply(to status: inout FileStatus) {
    status.uid = uid
    status.gid = gid
    status.mode = mode
    status.specialMajor = major
    status.specialMinor = minor
  }

  private struct Cursor: ~Copyable, ~Escapable {
    let bytes: Span<UInt8>
    var position = 0

    @_lifetime(copy bytes)
    init(bytes: Span<UInt8>) { self.bytes = bytes }

    var isAtEnd: Bool { position == bytes.count }

    @_lifetime(self: copy self)
    mutating func take(_ text: StaticString) -> Bool {
      let length = text.utf8CodeUnitCount
      guard bytes.count - position >= length else { return false }
      for index in 0..<length {
        // Within the constant's length.
        let expected = unsafe text.utf8Start[index]
        if bytes[position + index] != expected { return false }
      }
      position += length
      return true
    }

    @_lifetime(self: copy self)
    mutating func number(base: UInt32) -> UInt32? {
      var value: UInt32 = 0
      let start = position
      while position < bytes.count {
        let digit = UInt32(bytes[position] &- UInt8(ascii: "0"))
        guard digit < base else { break }
        let (high, overflow) = value.multipliedReportingOverflow(by: base)
        let (sum, carry) = high.addingReportingOverflow(digit)
        if overflow || carry { return nil }
        value = sum
        position += 1
      }
      return position > start ? value : nil
    }
  }
}
