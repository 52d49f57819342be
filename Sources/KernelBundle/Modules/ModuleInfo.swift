/// What a module says of itself in its `.modinfo` section: `key=value` strings with NULs between them.
package struct ModuleInfo: Equatable {
  package var name: String?
  package var dependencies: [String] = []
  package var aliases: [String] = []
  /// `softdep=pre: …`: to be loaded first where there is such a module.
  package var softPre: [String] = []
  package var softPost: [String] = []
  package var vermagic: String?

  /// Reads a decompressed `.ko` file.
  package init(module bytes: [UInt8]) throws(ImageFault) {
    let elf = try ELFImage(bytes)
    guard elf.type == ELFImage.typeRelocatable, let section = elf.section(".modinfo") else { throw .notAModule }
    self.init(strings: bytes[section.fileRange])
  }

  package init(strings: ArraySlice<UInt8>) {
    for string in strings.split(separator: 0) {
      guard let equals = string.firstIndex(of: UInt8(ascii: "=")) else { continue }
      let value = String(decoding: string[(equals + 1)...], as: UTF8.self)
      switch String(decoding: string[..<equals], as: UTF8.self) {
      case "name": name = value
      case "depends": dependencies += value.split(separator: ",").map { Self.normalised(String($0)) }
      case "alias": aliases.append(value)
      case "softdep": readSoftDependencies(value)
      case "vermagic": vermagic = value
      default: break
      }
    }
  }

  /// The kernel release that the module was built for: the first word of `vermagic`.
  package var release: String? { vermagic?.split(separator: " ").first.map(String.init) }

  /// Module names mean the same with `-` as with `_`.
  package static func normalised(_ name: String) -> String {
    String(name.map { $0 == "-" ? "_" : $0 })
  }

  private mutating func readSoftDependencies(_ value: String) {
    var afterwards = false
    for word in value.split(separator: " ") {
      switch word {
      case "pre:": afterwards = false
      case "post:": afterwards = true
      default:
        let name = Self.normalised(String(word))
        if afterwards { softPost.append(name) } else { softPre.append(name) }
      }
    }
  }
}
