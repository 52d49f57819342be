/// One component of a path: 1 to 255 bytes of any value but NUL and '/', kept inline and NUL-terminated.
///
/// Names are bytes, not text. `.` and `..` are refused like every other name that could lead out of its directory.
package struct FileName: Sendable {
  /// Longest name in bytes (NAME_MAX).
  package static let maximumLength = 255

  var storage: InlineArray<256, UInt8>

  /// Length in bytes, without the terminator.
  package let count: Int

  /// - Throws: `badName` for an empty name, `.`, `..`, one with '/' or NUL; `nameTooLong` for one of over 255 bytes.
  package init(_ bytes: Span<UInt8>) throws(MessageError) {
    guard bytes.count >= 1 else { throw .badName }
    guard bytes.count <= FileName.maximumLength else { throw .nameTooLong }
    storage = InlineArray(repeating: 0)
    count = bytes.count
    for index in bytes.indices { storage[index] = bytes[index] }
    try validate()
  }

  package init(_ bytes: [UInt8]) throws(MessageError) {
    try self.init(bytes.span)
  }

  /// Takes over `storage`, of which `count` bytes are the name and the next is NUL.
  init(storage: InlineArray<256, UInt8>, count: Int) throws(MessageError) {
    guard count >= 1 else { throw .badName }
    self.storage = storage
    self.count = count
    try validate()
  }

  private func validate() throws(MessageError) {
    if storage[0] == UInt8(ascii: "."), count == 1 || (count == 2 && storage[1] == UInt8(ascii: ".")) {
      throw .badName
    }
    for index in 0..<count where storage[index] == 0 || storage[index] == UInt8(ascii: "/") { throw .badName }
  }

  /// The name without its terminator.
  package var bytes: Span<UInt8> {
    @_lifetime(borrow self)
    get { storage.span.extracting(0..<count) }
  }

  /// The name with its NUL, for system calls.
  package var terminated: Span<UInt8> {
    @_lifetime(borrow self)
    get { storage.span.extracting(0..<(count + 1)) }
  }

  /// A copy on the heap, to keep.
  package func array() -> [UInt8] { FileName.array(bytes) }

  /// A copy on the heap with its NUL, to keep.
  package func terminatedArray() -> [UInt8] { FileName.array(terminated) }

  private static func array(_ bytes: Span<UInt8>) -> [UInt8] {
    var array = [UInt8](repeating: 0, count: bytes.count)
    for index in bytes.indices { array[index] = bytes[index] }
    return array
  }
}
