/// One file of a transfer: what the agent's `send`, `processes` and `usage` write, and its `receive` reads.
///
///      0  u8   kind
///      1  u8   zero, three times
///      4  u32  permissions (07777)
///      8  u32  uid
///     12  u32  gid
///     16  u64  bytes of data that follow the record; zero unless it is a file
///     24  i64  modification time, seconds since 1970
///     32  u32  and nanoseconds, below 1,000,000,000
///     36  u32  major number of a device
///     40  u32  minor number
///     44  u32  length of the path
///     48  u32  length of the target
///     52       the path, then the target of a symbolic link, or the path of the file that a link is another name of
///
/// A path is relative, and never climbs: names that are not empty, `.` or `..`. An empty one is the root of what is
/// transferred. A record of kind `end` ends the stream; a stream without one was cut short.
package struct FileRecord: Equatable, Sendable {
  package enum Kind: UInt8, CaseIterable, Sendable {
    case end = 0
    case directory = 1
    case file = 2
    case symlink = 3
    case fifo = 4
    case characterDevice = 5
    case blockDevice = 6
    /// Another name of a file that came before.
    case link = 7
  }

  package var kind: Kind
  package var path: [UInt8]
  package var mode: UInt32
  package var uid: UInt32 = 0
  package var gid: UInt32 = 0
  /// Bytes of data.
  package var size: UInt64 = 0
  package var seconds: Int64 = 0
  package var nanoseconds: UInt32 = 0
  package var major: UInt32 = 0
  package var minor: UInt32 = 0
  package var target: [UInt8] = []

  package init(_ kind: Kind, path: [UInt8] = [], mode: UInt32 = 0) {
    self.kind = kind
    self.path = path
    self.mode = mode
  }

  /// The bytes before the path.
  static let headSize = 52
  /// The longest path and the longest target, as Linux has them (PATH_MAX without its NUL).
  package static let pathLimit = 4095

  /// Whether a path stays below where it begins, whatever is there.
  package static func isPlain(_ path: [UInt8]) -> Bool {
    guard path.count <= pathLimit, !path.contains(0) else { return false }
    if path.isEmpty { return true }
    return path.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).allSatisfy { name in
      !name.isEmpty && name.count <= 255 && !(name.count <= 2 && name.allSatisfy { $0 == UInt8(ascii: ".") })
    }
  }

  /// Whether a receiver takes it.
  private var isValid: Bool {
    guard Self.isPlain(path), mode <= 0o7777, nanoseconds < 1_000_000_000, kind == .file || size == 0 else {
      return false
    }
    switch kind {
    case .symlink: return (1...Self.pathLimit).contains(target.count) && !target.contains(0)
    case .link: return !target.isEmpty && Self.isPlain(target)
    default: return target.isEmpty
    }
  }

  /// Appends the record; the data of a file follows it.
  ///
  /// Throws ``FrameError/malformedRecord`` for one that no receiver would take.
  package func encode(into bytes: inout [UInt8]) throws(FrameError) {
    guard isValid else { throw .malformedRecord }
    bytes.append(kind.rawValue)
    for _ in 0..<3 { bytes.append(0) }
    bytes.append(little: mode)
    bytes.append(little: uid)
    bytes.append(little: gid)
    bytes.append(little: size)
    bytes.append(little: UInt64(bitPattern: seconds))
    bytes.append(little: nanoseconds)
    bytes.append(little: major)
    bytes.append(little: minor)
    bytes.append(little: UInt32(path.count))
    bytes.append(little: UInt32(target.count))
    bytes.append(contentsOf: path)
    bytes.append(contentsOf: target)
  }

  /// The lengths of path and target that a head announces.
  static func lengths(_ head: [UInt8]) throws(FrameError) -> (path: Int, target: Int) {
    let path = number(head, 44)
    let target = number(head, 48)
    guard path <= UInt32(pathLimit), target <= UInt32(pathLimit) else { throw .malformedRecord }
    return (Int(path), Int(target))
  }

  /// Decodes a whole record.
  ///
  /// - Parameter bytes: as many as its head announces.
  init(_ bytes: [UInt8]) throws(FrameError) {
    let lengths = try Self.lengths(bytes)
    guard bytes.count == Self.headSize + lengths.path + lengths.target, let kind = Kind(rawValue: bytes[0]),
      bytes[1] == 0, bytes[2] == 0, bytes[3] == 0
    else { throw .malformedRecord }
    let paths = Self.headSize
    self.init(kind, path: Array(bytes[paths..<(paths + lengths.path)]), mode: Self.number(bytes, 4))
    uid = Self.number(bytes, 8)
    gid = Self.number(bytes, 12)
    size = UInt64(Self.number(bytes, 16)) | UInt64(Self.number(bytes, 20)) << 32
    seconds = Int64(bitPattern: UInt64(Self.number(bytes, 24)) | UInt64(Self.number(bytes, 28)) << 32)
    nanoseconds = Self.number(bytes, 32)
    major = Self.number(bytes, 36)
    minor = Self.number(bytes, 40)
    target = Array(bytes[(paths + lengths.path)...])
    guard isValid else { throw .malformedRecord }
  }

  private static func number(_ bytes: [UInt8], _ offset: Int) -> UInt32 {
    var value: UInt32 = 0
    for byte in 0..<4 { value |= UInt32(bytes[offset + byte]) << (8 * UInt32(byte)) }
    return value
  }
}
