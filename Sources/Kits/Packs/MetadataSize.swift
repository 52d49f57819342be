/// What the names and attributes of entries take while a pack is made: in memory, and as the text of its manifest.
struct MetadataSize: Equatable {
  /// Paths, and targets of links.
  var names = 0
  var attributes = 0

  /// What an attribute takes besides its bytes.
  static let attributeOverhead = 64

  init() {}

  init(_ entry: PackEntry) {
    names = Self.text(entry.path)
    switch entry.kind {
    case .symlink(let target), .link(let target): names += Self.text(target)
    default: break
    }
    attributes = Self.of(entry.attributes)
  }

  static func of(_ attributes: [PackEntry.Attribute]) -> Int {
    attributes.reduce(0) { $0 + text($1.name) + text($1.value) + attributeOverhead }
  }

  /// As a manifest has it, where some bytes become four (``ManifestText``).
  private static func text(_ bytes: [UInt8]) -> Int {
    bytes.reduce(0) { $0 + (ManifestText.isEscaped($1) ? 4 : 1) }
  }

  static func += (sum: inout MetadataSize, other: MetadataSize) {
    sum.names += other.names
    sum.attributes += other.attributes
  }

  static func -= (sum: inout MetadataSize, other: MetadataSize) {
    sum.names -= other.names
    sum.attributes -= other.attributes
  }
}
