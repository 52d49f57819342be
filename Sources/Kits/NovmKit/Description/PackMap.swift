import Packs

/// A pack and where the guest finds it.
package struct PackMap: Equatable, Sendable {
  package var name: String
  /// Absolute.
  package var guest: [UInt8]

  package init(name: String, guest: [UInt8]) {
    self.name = name
    self.guest = guest
  }

  /// Parses `NAME=>GUEST`, or `NAME` alone for the guest's `/`.
  package init(parsing bytes: [UInt8]) throws(NovmError) {
    let arrow = bytes.indices.dropLast().first { bytes[$0] == 0x3d && bytes[$0 + 1] == 0x3e }
    let name = String(decoding: bytes[..<(arrow ?? bytes.endIndex)], as: UTF8.self)
    guard PackStore.isName(name) else { throw .packMap(bytes) }
    guard let arrow else {
      self.init(name: name, guest: [UInt8(ascii: "/")])
      return
    }
    // What holds for the guest's path of a map holds here.
    let map = try TreeMap(parsing: Array(bytes[(arrow + 2)...]) + Array("=>/".utf8), directory: [])
    self.init(name: name, guest: map.guest)
  }
}

extension HeldPack {
  /// Holds each pack of a machine, so that nobody removes it.
  static func hold(_ maps: [PackMap], in store: PackStore) throws(NovmError) -> [HeldPack] {
    var held: [HeldPack] = []
    do throws(PackError) {
      for map in maps { held.append(try store.hold(map.name)) }
    } catch {
      throw .pack(error)
    }
    return held
  }
}
