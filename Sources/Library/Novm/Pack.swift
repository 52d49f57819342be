import Packs

/// A tree of files under a name, which does not change.
public struct Pack: Equatable, Sendable {
  /// What ``Tree/pack(_:at:)`` takes.
  public let name: String
  /// Of its manifest: `sha256:` and hexadecimal digits.
  public let digest: String
  public let entries: Int
  /// Of all files, in bytes.
  public let size: UInt64
  /// What it was made of.
  public let origin: String

  init(_ pack: Packs.Pack) {
    name = pack.name
    digest = "\(pack.digest)"
    entries = pack.record.entries
    size = pack.record.size
    origin = pack.record.origin
  }
}
