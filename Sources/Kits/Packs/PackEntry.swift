import Host

/// What a pack has at one path.
package struct PackEntry: Equatable, Sendable {
  package enum Kind: Equatable, Sendable {
    /// - isOpaque: it hides what layers below have in it.
    case directory(isOpaque: Bool)
    case file(size: UInt64, digest: Digest)
    /// Another name of the file at a path.
    case link(to: [UInt8])
    case symlink(target: [UInt8])
    case fifo
    case device(isBlock: Bool, major: UInt32, minor: UInt32)
    /// Hides what layers below have under the name.
    case whiteout
  }

  package struct Attribute: Equatable, Sendable {
    package var name: [UInt8]
    package var value: [UInt8]

    package init(name: [UInt8], value: [UInt8]) {
      self.name = name
      self.value = value
    }
  }

  /// From the pack's top, without a slash before it; empty for the top itself. Names are bytes.
  package var path: [UInt8]
  package var kind: Kind
  /// Permissions, 07777. Whiteouts and links have none, nor owner, time and attributes.
  package var mode: UInt32
  package var uid: UInt32
  package var gid: UInt32
  package var modified: FileTime
  /// Extended attributes, sorted by name.
  package var attributes: [Attribute]

  package init(
    path: [UInt8], kind: Kind, mode: UInt32 = 0, uid: UInt32 = 0, gid: UInt32 = 0,
    modified: FileTime = FileTime(seconds: 0, nanoseconds: 0), attributes: [Attribute] = []
  ) {
    self.path = path
    self.kind = kind
    self.mode = mode & 0o7777
    self.uid = uid
    self.gid = gid
    self.modified = modified
    self.attributes = attributes
  }

  package var isDirectory: Bool {
    if case .directory = kind { true } else { false }
  }

  /// The path's last name; empty for the top.
  package var name: [UInt8] { Array(path.suffix(path.count - (path.lastIndex(of: Self.slash) ?? -1) - 1)) }

  /// The path of the directory that it is in; nil for the top.
  package var parent: [UInt8]? {
    if path.isEmpty { return nil }
    return Array(path[..<(path.lastIndex(of: Self.slash) ?? 0)])
  }

  static let slash = UInt8(ascii: "/")

  /// The order of a manifest: a directory before what is in it, and its content together.
  package static func precedes(_ one: [UInt8], _ other: [UInt8]) -> Bool {
    one.lexicographicallyPrecedes(other) { ($0 == slash ? 0 : $0) < ($1 == slash ? 0 : $1) }
  }

  /// What a path in a pack may be: names that are not empty, `.` or `..`, of at most 255 bytes, with no NUL.
  static func isPath(_ path: [UInt8]) -> Bool {
    guard !path.isEmpty, path.count < 4096, !path.contains(0) else { return false }
    for name in path.split(separator: slash, omittingEmptySubsequences: false) {
      if name.isEmpty || name.count > 255 || name == [0x2e] || name == [0x2e, 0x2e] { return false }
    }
    return true
  }
}
