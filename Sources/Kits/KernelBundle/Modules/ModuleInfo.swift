/// What a module says of itself in its `.modinfo` section: `key=value` strings with NULs between them.
package struct ModuleInfo: Equatable {
  package var name: String?
  package var dependencies: [String] = []
  package var aliases: [String] = []
  /// `softdep=pre: …`: to be loaded first where there is such a module.
  package var softPre: [String] = []
  package var softPost: [String] = []
  /// The `softdep=` lines as they stand.
  package var softDependencies: [String] = []
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
      case "softdep":
        softDependencies.append(value)
        readSoftDependencies(value)
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

  /// Aliases are compared like names, but for what is within brackets, which stands for one of several characters.
  package static func normalisedAlias(_ alias: String) -> String {
    var bracketed = false
    return String(
      alias.map { character in
        if character == "[" { bracketed = true }
        if character == "]" { bracketed = false }
        return character == "-" && !bracketed ? "_" : character
      })
  }

  /// The device node whose opening loads the module, as in `fuse c10:229`: from the aliases `devname:fuse` and
  /// `char-major-10-229`.
  package var deviceNode: String? {
    guard let name = aliases.first(where: { $0.hasPrefix("devname:") })?.dropFirst(8) else { return nil }
    for alias in aliases {
      for (prefix, letter) in [("char-major-", "c"), ("block-major-", "b")] where alias.hasPrefix(prefix) {
        let numbers = alias.dropFirst(prefix.count).split(separator: "-")
        if numbers.count == 2, numbers.allSatisfy({ UInt32($0) != nil }) {
          return "\(name) \(letter)\(numbers[0]):\(numbers[1])"
        }
      }
    }
    return nil
  }

  /// The names in `__ksymtab_strings`: what the module exports. Name spaces of exports stand there too, and do no harm.
  package static func exportedSymbols(_ module: [UInt8]) -> [String] {
    guard let elf = try? ELFImage(module), let section = elf.section("__ksymtab_strings") else { return [] }
    // A name space stands there once for each export in it.
    var seen: Set<ArraySlice<UInt8>> = []
    return module[section.fileRange].split(separator: 0).filter { seen.insert($0).inserted }.map {
      String(decoding: $0, as: UTF8.self)
    }
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
