import GuestMemory

/// One request of the driver: the buffers that the device may read, then those that it may write (Virtio 1.2, 2.7.4).
///
/// Meant to be reused from request to request, so that steady work allocates nothing.
package struct DescriptorChain {
  /// Index of the first descriptor, which names the chain in the used ring.
  package internal(set) var head: UInt16 = 0

  /// Device-readable buffers, in order.
  package private(set) var readable: [GuestSlice] = []

  /// Device-writable buffers, in order.
  package private(set) var writable: [GuestSlice] = []

  package init() {}

  /// Bytes that the device may read.
  package private(set) var readableCount = 0

  /// Bytes that the device may write.
  package private(set) var writableCount = 0

  mutating func restart(at head: UInt16) {
    self.head = head
    Self.clear(&readable)
    Self.clear(&writable)
    readableCount = 0
    writableCount = 0
  }

  /// One buffer is what most chains have, and two steps.
  private static func clear(_ buffers: inout [GuestSlice]) {
    if buffers.count == 1 { buffers.removeLast() } else if !buffers.isEmpty { buffers.removeAll(keepingCapacity: true) }
  }

  /// A chain is bounded to 2^32 bytes, so the sums cannot overflow.
  mutating func append(readable buffer: GuestSlice) {
    readable.append(buffer)
    readableCount &+= buffer.count
  }

  mutating func append(writable buffer: GuestSlice) {
    writable.append(buffer)
    writableCount &+= buffer.count
  }
}

extension [GuestSlice] {
  /// Bytes in all slices together. A chain is bounded to 2^32 bytes, so the sum cannot overflow.
  @inlinable
  package var byteCount: Int {
    var count = 0
    for slice in self { count &+= slice.count }
    return count
  }

  /// Copies out `count` bytes from `offset` on, or nil if the slices are shorter.
  package func bytes(at offset: Int = 0, count: Int) -> [UInt8]? {
    guard offset >= 0, count >= 0, count <= byteCount &- offset else { return nil }
    var result: [UInt8] = []
    result.reserveCapacity(count)
    forEachPiece(from: offset, count: count) { result += $0.bytes() }
    return result
  }

  /// Spreads `source` over the slices from `offset` on, until either ends.
  ///
  /// - Returns: the number of bytes copied.
  @discardableResult
  package func copy(from source: [UInt8], at offset: Int = 0) -> Int {
    var copied = 0
    forEachPiece(from: offset, count: source.count) { copied += $0.copy(from: source, at: copied) }
    return copied
  }

  /// Calls `body` with the contiguous pieces of `count` bytes from `offset` on, fewer where the slices end.
  @inlinable
  package func forEachPiece(from offset: Int = 0, count: Int, _ body: (GuestSlice) -> Void) {
    guard offset >= 0 else { return }
    var skip = offset
    var left = count
    for slice in self {
      guard left > 0 else { return }
      if skip >= slice.count {
        skip -= slice.count
        continue
      }
      let piece = slice.dropping(skip, count: left)
      skip = 0
      left -= piece.count
      body(piece)
    }
  }
}
