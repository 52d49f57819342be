/// How much a pack may be. An archive says what it likes about its size; these are what is believed of it.
package struct PackLimits: Equatable, Sendable {
  package var entries: Int
  /// Of all files together, holes too.
  package var bytes: UInt64
  /// Of one entry's extended attributes, as ``MetadataSize`` counts them: what Linux itself allows.
  package var attributeBytes = 1 << 16
  /// Of all entries' together. Some hundred thousand files have one, such as a label or a capability.
  package var totalAttributeBytes = 32 << 20
  /// Of all paths and the targets of links together.
  package var totalNameBytes = 192 << 20

  package init(entries: Int = 2_000_000, bytes: UInt64 = 1 << 40) {
    self.entries = entries
    self.bytes = bytes
  }
}
