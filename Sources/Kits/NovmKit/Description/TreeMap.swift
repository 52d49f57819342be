import FileSystem
import Host

/// One layer of a machine's tree: a host directory, or a single file, and where the guest finds it. Names are bytes.
package struct TreeMap: Equatable, Sendable {
  /// Absolute, without `.`, `..` or doubled slashes.
  package var guest: [UInt8]
  /// Absolute.
  package var host: [UInt8]
  /// Known of those that a machine is composed of (``located``).
  package var isFile = false
  /// The tree of a pack, for reading.
  package var isPack = false
  /// Of a write map or share: what the guest's root may make real on the host though others can come to it.
  package var privileges: Privileges = []

  package init(guest: [UInt8], host: [UInt8]) {
    self.guest = guest
    self.host = host
  }

  package init(guest: String, host: String) {
    self.init(guest: Array(guest.utf8), host: Array(host.utf8))
  }

  /// Parses `GUEST=>HOST`, or `HOST` alone for the guest's `/`. The first `=>` divides, so that a host path that has one
  /// is written with its guest path.
  ///
  /// - Parameter directory: what a relative host path is relative to.
  package init(parsing bytes: [UInt8], directory: [UInt8]) throws(NovmError) {
    var guest: [UInt8] = [Self.slash]
    var host = bytes
    if let arrow = bytes.indices.dropLast().first(where: { bytes[$0] == 0x3d && bytes[$0 + 1] == 0x3e }) {
      guest = Array(bytes[..<arrow])
      host = Array(bytes[(arrow + 2)...])
    }
    guard !host.isEmpty else { throw .treeMap(bytes, .noHostPath) }
    guard guest.first == Self.slash else { throw .treeMap(bytes, .relativeGuestPath) }
    let parts = guest.split(separator: Self.slash).filter { $0 != [Self.dot] }
    guard !parts.contains([Self.dot, Self.dot]) else { throw .treeMap(bytes, .guestPathClimbs) }
    self.init(
      guest: [Self.slash] + parts.joined(separator: [Self.slash]), host: Path(host).absolute(in: directory).bytes)
  }

  /// Parses `GUEST=>HOST[:OPTION[,OPTION]...]`, the options being `suid`, `dev`, and `rw`, which says nothing. What follows the
  /// last colon belongs to the path unless all of it is options.
  package init(parsingWrite bytes: [UInt8], directory: [UInt8]) throws(NovmError) {
    guard let colon = bytes.lastIndex(of: UInt8(ascii: ":")), let options = Self.privileges(bytes[(colon + 1)...])
    else {
      try self.init(parsing: bytes, directory: directory)
      return
    }
    try self.init(parsing: Array(bytes[..<colon]), directory: directory)
    privileges = options
  }

  private static func privileges(_ text: ArraySlice<UInt8>) -> Privileges? {
    var privileges: Privileges = []
    for word in text.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
      let word = String(decoding: word, as: UTF8.self)
      if word == "rw" { continue }
      guard let privilege = Privileges(option: word) else { return nil }
      privileges.insert(privilege)
    }
    return privileges
  }

  /// As novmm's `--read` and `--pack` take it.
  package var argument: [UInt8] { guest + Array("=>".utf8) + host }

  /// As novmm's `--write` takes it.
  package var writeArgument: [UInt8] {
    let colon = host.lastIndex(of: UInt8(ascii: ":"))
    let endsLikeOptions = colon.map { Self.privileges(host[($0 + 1)...]) != nil } ?? false
    return privileges.isEmpty && !endsLikeOptions ? argument : argument + Array(":rw\(privileges.options)".utf8)
  }

  private static let slash = UInt8(ascii: "/")
  private static let dot = UInt8(ascii: ".")
}

/// Why a `--read` or `--write` is not a map.
package enum TreeMapFault: Equatable, Sendable {
  case noHostPath
  case relativeGuestPath
  case guestPathClimbs
}
