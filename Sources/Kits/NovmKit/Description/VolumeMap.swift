/// A named tree of writes that outlives its machines, and where the guest finds it.
package struct VolumeMap: Equatable, Sendable {
  package var name: String
  /// Absolute.
  package var guest: [UInt8]

  package init(name: String, guest: [UInt8]) {
    self.name = name
    self.guest = guest
  }

  /// Parses `NAME=>GUEST`. Names are for directories: 1 to 64 letters, digits, `.`, `_` and `-`, not first a `.` or `-`.
  package init(parsing bytes: [UInt8]) throws(NovmError) {
    guard let arrow = bytes.indices.dropLast().first(where: { bytes[$0] == 0x3d && bytes[$0 + 1] == 0x3e }),
      Self.isName(bytes[..<arrow])
    else { throw .volume(bytes) }
    // What holds for the guest's path of a map holds here.
    let map = try TreeMap(parsing: Array(bytes[(arrow + 2)...]) + Array("=>/".utf8), directory: [])
    self.init(name: String(decoding: bytes[..<arrow], as: UTF8.self), guest: map.guest)
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
