import Host

/// One layer of a machine's tree: a host directory and where the guest finds it. Names are bytes.
package struct TreeMap: Equatable, Sendable {
  /// Absolute, without `.`, `..` or doubled slashes.
  package var guest: [UInt8]
  /// Absolute.
  package var host: [UInt8]
  /// The tree of a pack, for reading.
  package var isPack = false

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

  /// As novmm's `--read`, `--pack` and `--write` take it.
  package var argument: [UInt8] { guest + Array("=>".utf8) + host }

  private static let slash = UInt8(ascii: "/")
  private static let dot = UInt8(ascii: ".")
}

/// Why a `--read` or `--write` is not a map.
package enum TreeMapFault: Equatable, Sendable {
  case noHostPath
  case relativeGuestPath
  case guestPathClimbs
}
