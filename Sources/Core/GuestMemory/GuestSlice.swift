/// A bounds-checked, contiguous piece of guest RAM.
///
/// It is valid for as long as the `GuestMemory` that it came from. Reads and writes race with the guest by nature: each
/// load is one snapshot of the bytes.
@safe
public struct GuestSlice: @unchecked Sendable {
  @usableFromInline let start: UnsafeMutableRawPointer?

  /// Length in bytes.
  public let count: Int

  /// Whether only `hostBytes` leads to its bytes: loads and stores fail, copies into it copy nothing, and `bytes` are zero.
  public let isWindow: Bool

  @unsafe @inlinable
  init(start: UnsafeMutableRawPointer, count: Int, isWindow: Bool) {
    unsafe self.start = start
    self.count = count
    self.isWindow = isWindow
  }

  @inlinable
  init() {
    unsafe start = nil
    count = 0
    isWindow = false
  }

  /// No bytes.
  @inlinable public static var empty: GuestSlice { GuestSlice() }

  /// The part from `offset` on, at most `count` bytes long; empty when `offset` is past the end.
  @inlinable
  public func dropping(_ offset: Int, count limit: Int = .max) -> GuestSlice {
    guard offset >= 0, offset < count, limit > 0 else { return .empty }
    return unsafe GuestSlice(start: start! + offset, count: min(limit, count - offset), isWindow: isWindow)
  }

  /// A little-endian integer.
  ///
  /// - Throws: `outside` (with the offset as its address) unless the integer lies within the slice.
  @inlinable
  public func load<T: FixedWidthInteger & BitwiseCopyable>(
    _ type: T.Type = T.self, at offset: Int
  ) throws(GuestMemoryError) -> T {
    guard holds(MemoryLayout<T>.size, at: offset) else { throw outside(offset, MemoryLayout<T>.size) }
    return T(littleEndian: unsafe start!.loadUnaligned(fromByteOffset: offset, as: type))
  }

  /// Two little-endian integers that follow each other, by one look at the bounds.
  ///
  /// - Throws: as `load`.
  @inlinable
  public func loadPair(at offset: Int) throws(GuestMemoryError) -> (UInt64, UInt64) {
    guard holds(16, at: offset) else { throw outside(offset, 16) }
    let first = unsafe start!.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
    let second = unsafe start!.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self)
    return (UInt64(littleEndian: first), UInt64(littleEndian: second))
  }

  /// Stores a little-endian integer.
  ///
  /// - Throws: `outside` (with the offset as its address) unless the integer lies within the slice.
  @inlinable
  public func store<T: FixedWidthInteger & BitwiseCopyable>(_ value: T, at offset: Int) throws(GuestMemoryError) {
    guard holds(MemoryLayout<T>.size, at: offset) else { throw outside(offset, MemoryLayout<T>.size) }
    unsafe start!.storeBytes(of: value.littleEndian, toByteOffset: offset, as: T.self)
  }

  /// Adds to little-endian integers, which wrap around.
  ///
  /// - Parameter places: 32-bit words, each an integer's offset and `base`.
  /// - Returns: false where one does not lie within the slice; those before have been changed.
  @inlinable
  package func add<T: FixedWidthInteger & BitwiseCopyable>(
    _ value: T, at places: Span<UInt8>, lessBase base: UInt32
  ) -> Bool {
    guard holds(MemoryLayout<T>.size, at: 0) else { return places.isEmpty }
    let last = UInt64(count &- MemoryLayout<T>.size)
    // Words are of the span, and a place from 0 to `last` has all bytes of its integer in the slice.
    let start = unsafe start!
    return unsafe places.withUnsafeBytes { bytes in
      guard let words = bytes.baseAddress else { return true }
      for index in 0..<bytes.count / 4 {
        let word = unsafe words.loadUnaligned(fromByteOffset: index &* 4, as: UInt32.self)
        let place = UInt64(UInt32(littleEndian: word) &- base)
        guard place <= last else { return false }
        let target = unsafe start + Int(truncatingIfNeeded: place)
        let sum = T(littleEndian: unsafe target.loadUnaligned(as: T.self)) &+ value
        unsafe target.storeBytes(of: sum.littleEndian, as: T.self)
      }
      return true
    }
  }

  /// Copies from `source`, from its byte `offset` on, until either ends.
  ///
  /// - Returns: the number of bytes copied.
  @inlinable @discardableResult
  public func copy(from source: [UInt8], at offset: Int = 0) -> Int {
    guard offset >= 0, offset < source.count else { return 0 }
    return unsafe source.withUnsafeBytes { unsafe copy(from: UnsafeRawBufferPointer(rebasing: $0[offset...])) }
  }

  /// Copies from `source` until either ends.
  ///
  /// - Returns: the number of bytes copied.
  @inlinable @discardableResult
  public func copy(from source: RawSpan) -> Int {
    unsafe source.withUnsafeBytes { unsafe copy(from: $0) }
  }

  /// Copies from `source` until either ends.
  ///
  /// - Returns: the number of bytes copied.
  @inlinable @discardableResult
  public func copy(from source: Span<UInt8>) -> Int {
    unsafe source.withUnsafeBytes { unsafe copy(from: $0) }
  }

  @unsafe @inlinable @discardableResult
  func copy(from source: UnsafeRawBufferPointer) -> Int {
    let length = min(count, source.count)
    guard length > 0, !isWindow else { return 0 }
    unsafe start!.copyMemory(from: source.baseAddress!, byteCount: length)
    return length
  }

  /// Copies into `target` until either ends.
  ///
  /// - Returns: the number of bytes copied.
  @inlinable @discardableResult
  public func copy(to target: inout MutableRawSpan) -> Int {
    unsafe target.withUnsafeMutableBytes { bytes in
      let length = isWindow ? 0 : min(count, bytes.count)
      if length > 0 { unsafe bytes.baseAddress!.copyMemory(from: start!, byteCount: length) }
      return length
    }
  }

  /// Sets every byte.
  @inlinable
  public func fill(_ byte: UInt8 = 0) {
    guard count > 0, !isWindow else { return }
    _ = unsafe start!.initializeMemory(as: UInt8.self, repeating: byte, count: count)
  }

  /// A copy of all bytes; of a window as many zeros, since whoever copies counts on the length.
  @inlinable
  public func bytes() -> [UInt8] {
    guard count > 0 else { return [] }
    if isWindow { return [UInt8](repeating: 0, count: count) }
    return unsafe [UInt8](UnsafeRawBufferPointer(start: start, count: count))
  }

  /// The host memory behind the slice, for system calls that read or fill it in place.
  @unsafe @inlinable
  public var hostBytes: UnsafeMutableRawBufferPointer {
    unsafe UnsafeMutableRawBufferPointer(start: start, count: count)
  }

  @inlinable
  func holds(_ size: Int, at offset: Int) -> Bool {
    offset >= 0 && offset <= count && size <= count - offset && !isWindow
  }

  @inlinable
  func outside(_ offset: Int, _ size: Int) -> GuestMemoryError {
    .outside(address: GuestAddress(truncatingIfNeeded: offset), count: size)
  }
}
