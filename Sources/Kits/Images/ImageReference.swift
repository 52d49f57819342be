import Packs

/// What an image is called, as everybody writes it: `[HOST[:PORT]/]PATH[:TAG][@DIGEST]`.
///
/// The grammar is that of the container distribution project (`reference`): what comes before the first slash is a host if it has
/// a `.` or a `:` in it or is `localhost`. A name without a host is one of the default registry, where a name of one part is
/// below `library`.
package struct ImageReference: Hashable, Sendable, CustomStringConvertible {
  package static let defaultRegistry = "docker.io"
  /// The one that answers for the default registry.
  package static let defaultHost = "registry-1.docker.io"
  /// What else files and people call the default registry.
  package static let defaultAliases = ["index.docker.io", defaultHost]
  package static let defaultTag = "latest"
  private static let library = "library/"

  /// `HOST[:PORT]`.
  package let registry: String
  /// One or more names with slashes between them.
  package let repository: String
  /// Of a version; nil for one that only the digest names.
  package let tag: String?
  /// Of a manifest.
  package let digest: Digest?

  package init?(_ text: String) {
    var rest = Substring(text)
    var digest: Digest?
    if let at = rest.firstIndex(of: "@") {
      let value = rest[rest.index(after: at)...]
      guard value.hasPrefix("sha256:"), let parsed = Digest(String(value)) else { return nil }
      digest = parsed
      rest = rest[..<at]
    }
    var tag: String?
    let lastSlash = rest.lastIndex(of: "/") ?? rest.startIndex
    if let colon = rest[lastSlash...].lastIndex(of: ":") {
      let value = rest[rest.index(after: colon)...]
      // `HOST:PORT` alone is no image.
      guard Self.isTag(value) else { return nil }
      tag = String(value)
      rest = rest[..<colon]
    }
    var registry = Self.defaultRegistry
    if let slash = rest.firstIndex(of: "/"), Self.looksLikeHost(rest[..<slash]) {
      guard Self.isHost(rest[..<slash]) else { return nil }
      registry = String(rest[..<slash])
      rest = rest[rest.index(after: slash)...]
    }
    guard rest.split(separator: "/", omittingEmptySubsequences: false).allSatisfy(Self.isName) else { return nil }
    let isOfLibrary = registry == Self.defaultRegistry && !rest.contains("/")
    let repository = (isOfLibrary ? Self.library : "") + rest
    guard repository.utf8.count + registry.utf8.count < 255 else { return nil }
    self.registry = registry
    self.repository = repository
    self.tag = tag ?? (digest == nil ? Self.defaultTag : nil)
    self.digest = digest
  }

  /// In full.
  package var description: String {
    "\(registry)/\(repository)" + (tag.map { ":\($0)" } ?? "") + (digest.map { "@\($0)" } ?? "")
  }

  /// As people write it: without what goes without saying.
  package var familiar: String { familiarRepository + (tag.map { ":\($0)" } ?? "") + (digest.map { "@\($0)" } ?? "") }

  /// The same without tag and digest.
  package var familiarRepository: String {
    let parts = repository.split(separator: "/", maxSplits: 1)
    var name = "\(registry)/\(repository)"
    if registry == Self.defaultRegistry {
      // One that would be taken for another's without its registry keeps that.
      if parts.count == 2, parts[0] + "/" == Self.library, !parts[1].contains("/") {
        name = String(parts[1])
      } else if !Self.looksLikeHost(parts[0]) {
        name = repository
      }
    }
    return name
  }

  private static func looksLikeHost(_ text: Substring) -> Bool {
    text == "localhost" || text.contains(".") || text.contains(":") || text.contains { $0.isUppercase }
  }

  private static func isHost(_ text: Substring) -> Bool {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    if parts.count == 2 { guard let port = UInt16(parts[1]), port > 0 else { return false } }
    return parts[0].split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
      !label.isEmpty && label.first != "-" && label.last != "-"
        && label.utf8.allSatisfy { isLetter($0) || isDigit($0) || $0 == UInt8(ascii: "-") }
    }
  }

  /// Lower-case letters and digits, with `.`, `_`, `__` or hyphens between them.
  private static func isName(_ text: Substring) -> Bool {
    var separator = ""
    var isAtStart = true
    for character in text.unicodeScalars {
      switch character {
      case "a"..."z", "0"..."9":
        guard ["", ".", "_", "__"].contains(separator) || separator.allSatisfy({ $0 == "-" }) else { return false }
        separator = ""
        isAtStart = false
      case ".", "_", "-":
        if isAtStart { return false }
        separator.unicodeScalars.append(character)
      default: return false
      }
    }
    return !isAtStart && separator.isEmpty
  }

  private static func isTag(_ text: Substring) -> Bool {
    guard (1...128).contains(text.utf8.count), text.first != ".", text.first != "-" else { return false }
    return text.utf8.allSatisfy {
      isLetter($0) || isDigit($0) || [UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "-")].contains($0)
    }
  }

  private static func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7a).contains(byte | 0x20) }
  private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
}
