/// Why a state is not taken.
package enum StateError: Error, Equatable, Sendable {
  /// It does not begin as one.
  case notAState
  /// It was written by a novm that is too new, or too old.
  case version(major: UInt16)
  /// It ends within something, or its end is missing.
  case cutShort
  /// A section's check, or the check of all of it, is not that of its bytes.
  case damaged(StateTag)
  /// Something stands twice.
  case repeated(StateTag, instance: UInt32)
  case tooLarge
  /// It has a part that this novm does not know and that cannot be left out.
  case unknownSection(StateTag, instance: UInt32)
  case unknownField(StateTag, id: UInt16)
  /// A part that the machine needs is not there.
  case missing(StateTag, instance: UInt32)
  /// A kind of virtio device that no state can be written of yet.
  case cannotSave(device: UInt32)
  /// So many files or directories that are in use have no name any more, by which a successor could find them.
  case removedFiles(UInt32)
  /// A field holds what cannot be; 0 for all of them together.
  case value(StateTag, id: UInt16)
}
