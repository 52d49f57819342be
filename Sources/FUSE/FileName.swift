/// One component of a path: 1 to 255 bytes of any value but NUL and '/', kept inline and NUL-terminated.
///
/// Names are bytes, not text. `.` and `..` are refused like every other name that could lead out of its directory.
public struct FileName: Sendable {
  /// Longest name in bytes (NAME_MAX).
  public static let maximumLength = 255

  @usableFromInline var storage: InlineArray<256, UInt8>

  /// Length in bytes, without the terminator.
  public let count: Int

  /// - Throws: `badName` for an empty name, `.`, `..`, one with '/' or NUL, or one longer than 255 bytes.
  public init(_ bytes: Span<UInt8>) throws(MessageError) {
    guard bytes.count >= 1, bytes.count <= FileName.maximumLength else { throw .badName }
    storage = InlineArray(repeating: 0)
    count = bytes.count
    for index in bytes.indices { storage[index] = bytes[index] }
    try validate()
  }

  public init(_ bytes: [UInt8]) throws(MessageError) {
    try self.init(bytes.span)
  }

  /// Takes over `storage`, of which `count` bytes are the name and the next is NUL.
  init(storage: InlineArray<256, UInt8>, count: Int) throws(MessageError) {
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
  @inlinable
  public var bytes: Span<UInt8> {
    @_lifetime(borrow self)
    get { storage.span.extracting(0..<count) }
  }

  /// The name with its NUL, for system calls.
  @inlinable
  public var terminated: Span<UInt8> {
    @_lifetime(borrow self)
    get { storage.span.extracting(0..<(count + 1)) }
  }

  /// A copy on the heap, to keep.
  public func array() -> [UInt8] {
    let bytes = bytes
    return [UInt8](capacity: count) { output in
      for index in bytes.indices { output.append(bytes[index]) }
    }
  }

  @inlinable
  public static func == (name: borrowing FileName, other: [UInt8]) -> Bool {
    guard name.count == other.count else { return false }
    for index in other.indices where name.storage[index] != other[index] { return false }
    return true
  }

  /// FNV-1a, mixed with `seed`; guests may choose names, so `seed` should be secret where chains matter.
  @inlinable
  public func hash(seed: UInt64) -> UInt64 {
    var hash = 0xcbf2_9ce4_8422_2325 ^ seed
    for index in 0..<count { hash = (hash ^ UInt64(storage[index])) &* 0x100_0000_01b3 }
    return hash ^ (hash >> 29)
  }
}
