import CLinux
import Glibc

/// Pieces of memory for one preadv(2) or pwritev(2). Their room comes from those that earlier transfers had, so that a
/// transfer allocates nothing, and clears nothing.
@safe
package struct IOVectors: ~Copyable {
  /// Enough for 1 MiB in single pages, with the odd piece at either end.
  package static let capacity = 260

  private let vectors: UnsafeMutablePointer<iovec>
  private var used = 0
  /// Bytes in all pieces together.
  package private(set) var byteCount = 0

  package init() { unsafe vectors = IOVectorRooms.take() }

  deinit { unsafe IOVectorRooms.give(vectors) }

  /// Whether no further piece fits.
  package var isFull: Bool { used == IOVectors.capacity }

  /// Makes room for the pieces of another transfer.
  package mutating func removeAll() {
    used = 0
    byteCount = 0
  }

  /// Adds a piece, which must stay valid until the transfer is done; ignored when full.
  @unsafe package mutating func append(_ piece: UnsafeMutableRawBufferPointer) {
    guard used < IOVectors.capacity, piece.count > 0 else { return }
    unsafe vectors[used] = iovec(iov_base: piece.baseAddress, iov_len: piece.count)
    used += 1
    byteCount += piece.count
  }

  /// preadv(2): fills the pieces from `offset` of the file on; returns the bytes read, 0 at the end.
  package func read(from descriptor: Int32, at offset: Int64) throws(Errno) -> Int {
    try checked(unsafe clinux_preadv(descriptor, vectors, Int32(used), offset))
  }

  /// preadv2(2) with RWF_NOWAIT: the bytes that are in the page cache from `offset` on, or -1.
  func readCached(from descriptor: Int32, at offset: Int64) -> Int {
    unsafe clinux_preadv2(descriptor, vectors, Int32(used), offset, 8)
  }

  /// pwritev2(2): writes the pieces at `offset` of the file; returns the bytes written.
  package func write(
    to descriptor: Int32, at offset: Int64, synchronous: WriteFlags = []
  ) throws(Errno) -> Int {
    try checked(unsafe clinux_pwritev2(descriptor, vectors, Int32(used), offset, synchronous.rawValue))
  }
}

/// Rooms for pieces that no transfer has now: as many as there were transfers at once.
private enum IOVectorRooms {
  private static let lock = Lock()
  @safe nonisolated(unsafe) private static var free: [UnsafeMutablePointer<iovec>] = unsafe []

  @unsafe static func take() -> UnsafeMutablePointer<iovec> {
    var room = unsafe lock.withLock { unsafe free.popLast() }
    if unsafe room == nil {
      unsafe room = .allocate(capacity: IOVectors.capacity)
      unsafe room!.initialize(repeating: iovec(), count: IOVectors.capacity)
    }
    return unsafe room!
  }

  @unsafe static func give(_ room: UnsafeMutablePointer<iovec>) {
    lock.withLock { unsafe free.append(room) }
  }
}

/// RWF_* of pwritev2(2).
package struct WriteFlags: OptionSet, Sendable {
  package let rawValue: Int32
  package init(rawValue: Int32) { self.rawValue = rawValue }

  package static let dataSynchronous = WriteFlags(rawValue: 2)
  package static let synchronous = WriteFlags(rawValue: 4)

  /// What O_DSYNC and O_SYNC of open(2) ask for.
  package init(openFlags: Int32) {
    // O_SYNC includes the bit of O_DSYNC.
    self = openFlags & O_SYNC == O_SYNC ? .synchronous : openFlags & O_DSYNC != 0 ? .dataSynchronous : []
  }
}
