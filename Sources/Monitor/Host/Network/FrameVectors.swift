import CLinux
import Glibc

/// Moves whole frames between a descriptor and pieces of memory, each by one system call. The room for the pieces, and for
/// what of a frame they are too short for, is made once: a frame takes nothing from the heap.
@safe
package struct FrameVectors: ~Copyable {
  /// The most pieces of a frame.
  package static let capacity = IOVectors.capacity

  private let pieces: UnsafeMutablePointer<iovec>
  private let rest: UnsafeMutableRawBufferPointer

  /// - Parameter frameLimit: bytes of the longest frame.
  package init(frameLimit: Int) {
    unsafe pieces = .allocate(capacity: Self.capacity + 1)
    unsafe pieces.initialize(repeating: iovec(), count: Self.capacity + 1)
    unsafe rest = .allocate(byteCount: frameLimit, alignment: 16)
    unsafe rest.initializeMemory(as: UInt8.self, repeating: 0)
  }

  deinit {
    unsafe pieces.deallocate()
    unsafe rest.deallocate()
  }

  /// Says where a piece of the next frame lies, which must stay valid until it has been moved.
  ///
  /// - Parameter index: below `capacity`.
  @unsafe package func set(_ index: Int, _ piece: UnsafeMutableRawBufferPointer) {
    precondition(index >= 0 && index < Self.capacity)
    unsafe pieces[index] = iovec(iov_base: piece.baseAddress, iov_len: piece.count)
  }

  /// readv(2): a frame into the first `count` pieces and then into the rest.
  ///
  /// - Returns: its length, or -1 with `errno`.
  package func read(from descriptor: Int32, pieces count: Int) -> Int {
    precondition((0...Self.capacity).contains(count))
    unsafe pieces[count] = iovec(iov_base: rest.baseAddress, iov_len: rest.count)
    return unsafe clinux_readv(descriptor, pieces, Int32(count + 1))
  }

  /// read(2): a frame as the rest. The kernel does less for it than for pieces.
  ///
  /// - Returns: its length, or -1 with `errno`.
  package func readRest(from descriptor: Int32) -> Int {
    unsafe clinux_read(descriptor, rest.baseAddress, rest.count)
  }

  /// Copies bytes of the rest from `offset` on, until it or the piece ends.
  ///
  /// - Returns: the number of bytes copied.
  @unsafe package func copyRest(from offset: Int, to piece: UnsafeMutableRawBufferPointer) -> Int {
    let count = min(piece.count, unsafe rest.count - offset)
    guard offset >= 0, count > 0 else { return 0 }
    unsafe piece.baseAddress!.copyMemory(from: rest.baseAddress! + offset, byteCount: count)
    return count
  }

  /// writev(2), or write(2) of a single piece: the first `count` pieces as a frame.
  ///
  /// - Returns: its length, or -1 with `errno`.
  package func write(to descriptor: Int32, pieces count: Int) -> Int {
    precondition((1...Self.capacity).contains(count))
    if count == 1 { return unsafe clinux_write(descriptor, pieces.pointee.iov_base, pieces.pointee.iov_len) }
    return unsafe clinux_writev(descriptor, pieces, Int32(count))
  }
}
