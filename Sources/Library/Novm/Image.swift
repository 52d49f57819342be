import Images

/// A container image: layers, which are packs, and words on what is run of them.
public struct Image: Equatable, Sendable {
  /// Of its configuration: `sha256:` and hexadecimal digits.
  public let identifier: String
  /// What ``Description`` takes as `image`, besides the identifier.
  public let names: [String]
  /// When it was made, as it says.
  public let created: String?
  /// How many layers it has.
  public let layers: Int
  /// Of all files, in bytes.
  public let size: UInt64
  /// Where it came from.
  public let origin: String

  init(_ image: Images.Image) {
    identifier = image.id.description
    names = image.references.map(\.familiar)
    created = image.configuration.created
    layers = image.packs.count
    size = image.record.size
    origin = image.record.origin
  }
}
