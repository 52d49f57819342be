/// What a section is about: four printable ASCII characters, the last ones perhaps blanks. Never used anew for something else.
package struct StateTag: Equatable, Sendable {
  package let rawValue: UInt32

  /// - Parameter name: four characters.
  package init(_ name: StaticString) {
    var value: UInt32 = 0
    // Within the constant's length.
    for index in 0..<min(name.utf8CodeUnitCount, 4) {
      value |= unsafe UInt32(name.utf8Start[index]) << (8 * UInt32(index))
    }
    rawValue = value
  }

  /// - Returns: nil for what is no name.
  init?(rawValue: UInt32) {
    for index in 0..<4 as Range<UInt32> {
      guard (0x20...0x7e).contains(rawValue >> (8 * index) & 0xff) else { return nil }
    }
    self.rawValue = rawValue
  }

  /// Its characters.
  package var name: [UInt8] {
    var name: [UInt8] = []
    for index in 0..<4 as Range<UInt32> { name.append(UInt8(truncatingIfNeeded: rawValue >> (8 * index))) }
    return name
  }

  static let end = StateTag("end ")
}
