/// A tree of writes apart from the machine's others, and where the guest finds it: named, and outliving its machines, or one
/// machine's own.
package struct VolumeMap: Equatable, Sendable {
  /// Empty for the machine's own.
  package var name: String
  /// Absolute.
  package var guest: [UInt8]

  package init(name: String, guest: [UInt8]) {
    self.name = name
    self.guest = guest
  }

  /// Whether it goes with its machine.
  package var isOwn: Bool { name.isEmpty }

  /// One of the machine's own.
  ///
  /// - Parameter path: of the guest.
  package init(ownAt path: [UInt8]) throws(NovmError) { try self.init([], guest: path[...], of: path) }

  /// Parses `NAME=>GUEST`. Names are for directories: 1 to 64 letters, digits, `.`, `_` and `-`, not first a `.` or `-`.
  package init(parsing bytes: [UInt8]) throws(NovmError) {
    guard let arrow = bytes.indices.dropLast().first(where: { bytes[$0] == 0x3d && bytes[$0 + 1] == 0x3e }),
      Self.isName(bytes[..<arrow])
    else { throw .volume(bytes) }
    try self.init(bytes[..<arrow], guest: bytes[(arrow + 2)...], of: bytes)
  }

  private init(_ name: ArraySlice<UInt8>, guest: ArraySlice<UInt8>, of bytes: [UInt8]) throws(NovmError) {
    // What holds for the guest's path of a map holds here.
    guard let map = try? TreeMap(parsing: guest + Array("=>/".utf8), directory: []) else {
      throw .volumeGuest(bytes)
    }
    self.init(name: String(decoding: name, as: UTF8.self), guest: map.guest)
  }

  /// What `--volume` takes: a volume, or in Docker's words one, or a directory of the host's.
  package enum Argument {
    case volume(VolumeMap)
    case share(TreeShare)
  }

  /// Parses `NAME=>GUEST`, or as Docker has it `GUEST` alone, `NAME:GUEST` and `HOST:GUEST[:ro|:rw]`, a path of the host having a
  /// `/` in it or beginning with a `.`. A volume is there to be written to: `rw` behind it is all that it takes, and says nothing.
  package static func argument(parsing bytes: [UInt8], directory: [UInt8]) throws(NovmError) -> Argument {
    let (colon, slash) = (UInt8(ascii: ":"), UInt8(ascii: "/"))
    let parts = bytes.split(separator: colon, omittingEmptySubsequences: false)
    let hasArrow = bytes.firstRange(of: Array("=>".utf8)) != nil
    if !hasArrow, parts.count == 1, bytes.first == slash { return .volume(try Self(ownAt: bytes)) }
    guard !hasArrow, parts.count > 1 else {
      // A colon of the path's own, unless what follows says how a share is to be.
      guard let last = parts.dropFirst().last, Self.options.contains(String(decoding: last, as: UTF8.self)) else {
        return .volume(try Self(parsing: bytes))
      }
      try requireNone(last, of: bytes)
      return .volume(try Self(parsing: Array(bytes.dropLast(last.count + 1))))
    }
    // A path may have colons of its own, before the last one that a path follows.
    guard let place = bytes.indices.last(where: { bytes[$0] == slash && $0 > 0 && bytes[$0 - 1] == colon }) else {
      throw isName(parts[0]) ? .volumeGuest(bytes) : .volume(bytes)
    }
    let host = bytes[..<(place - 1)]
    let rest = bytes[place...].split(separator: colon, maxSplits: 1, omittingEmptySubsequences: false)
    if isName(host) {
      if rest.count > 1 { try requireNone(rest[1], of: bytes) }
      return .volume(try Self(host, guest: rest[0], of: bytes))
    }
    guard host.contains(slash) || host.first == UInt8(ascii: ".") else { throw .volume(bytes) }
    let options = rest.count > 1 ? [colon] + rest[1] : []
    return .share(
      try TreeShare(parsing: Array(rest[0]) + Array("=>".utf8) + host + options, directory: directory))
  }

  /// As `--volume` takes it.
  package var argument: String {
    let guest = ByteString.string(guest)
    if isOwn { return guest }
    // A path that ends like an option has one behind it.
    return "\(name)=>\(guest)" + (Self.options.contains { guest.hasSuffix(":\($0)") } ? ":rw" : "")
  }

  private static let options = ["ro", "rw"]

  private static func requireNone(_ options: ArraySlice<UInt8>, of bytes: [UInt8]) throws(NovmError) {
    guard options.elementsEqual("rw".utf8) else { throw .volumeOption(bytes, ByteString.string(Array(options))) }
  }

  private static func isName(_ bytes: ArraySlice<UInt8>) -> Bool {
    guard (1...64).contains(bytes.count), bytes.first != UInt8(ascii: "."), bytes.first != UInt8(ascii: "-") else {
      return false
    }
    return bytes.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
        true
      default: false
      }
    }
  }
}
