/// How a machine's state is written: one stream of sections, which is all that a successor needs besides memory and descriptors
/// (docs/state-format.md). Numbers are little-endian.
///
///     header   "novmstat", u16 major, u16 minor, u32 zero
///     section  4 bytes tag, u32 instance, u16 version, u16 flags, u32 length of the payload, u32 CRC-32C; the payload
///     end      a section "end ", whose payload is the SHA-256 of all before it
///
/// A payload is fields: u16 id, u16 flags, u32 length, and so many bytes. Flag 1 says that a reader who does not know the section
/// or field must refuse the state; others are passed over. The check of a section is over its first 16 bytes and its payload.
///
/// What is read is hostile: everything is checked before any of it is believed, and nothing is allocated that the stream does not
/// hold.
package enum StateFormat {
  static let magic: [UInt8] = Array("novmstat".utf8)
  /// A reader takes this one and the one before it.
  package static let major: UInt16 = 1
  package static let minor: UInt16 = 0

  static let headerSize = 16
  static let sectionHeaderSize = 20
  static let fieldHeaderSize = 8
  static let required: UInt16 = 1

  /// More are no state of ours: a machine has some dozen parts.
  package static let sectionLimit = 4096
  /// Bytes of a stream.
  package static let sizeLimit = 1 << 30
}
