import CLinux
import CURing
import Glibc
package import Host

/// Transfers that the host's kernel does while we do other things: io_uring(7).
///
/// They are collected, and handed over by `submit`, all in one system call. One thread at a time uses a ring.
@safe
package final class IORing {
  /// One that has ended.
  package struct Completion: Equatable, Sendable {
    /// What was given along when it was added.
    package let token: UInt64
    /// Bytes moved, or an error number below zero.
    package let result: Int32
  }

  /// Pieces of memory that all transfers between two calls of `submit` may have together.
  package static let pieceLimit = 1024

  let ring: UnsafeMutablePointer<io_uring>
  /// The kernel reads these when a transfer is handed over, and has no need of them afterwards (IORING_FEAT_SUBMIT_STABLE).
  private let pieces: UnsafeMutableBufferPointer<iovec>
  private var usedPieces = 0
  /// The first piece of the transfer to come.
  private var firstPiece = 0
  /// Added, but not handed over.
  private var collected: UInt32 = 0
  /// Added, and not seen to end.
  package private(set) var underWay = 0

  private static let operations = [
    IORING_OP_READ, IORING_OP_READV, IORING_OP_WRITE, IORING_OP_WRITEV, IORING_OP_FSYNC, IORING_OP_FALLOCATE,
  ]

  /// - Parameter entries: how many transfers one system call hands over, 1 to 4096; twice as many can be under way.
  /// - Throws: ENOSYS or EINVAL where the kernel is too old for what this needs, as where it has no io_uring; EPERM where that is
  ///   switched off.
  package init(entries: UInt32) throws(Errno) {
    unsafe ring = .allocate(capacity: 1)
    unsafe ring.initialize(to: io_uring())
    unsafe pieces = .allocate(capacity: Self.pieceLimit)
    unsafe pieces.initialize(repeating: iovec())
    let status = unsafe io_uring_queue_init(entries, ring, UInt32(IORING_SETUP_R_DISABLED))
    guard status == 0 else {
      unsafe ring.deallocate()
      unsafe pieces.deallocate()
      throw Errno(-status)
    }
    // From here on the deinitializer runs.
    let needed = UInt32(IORING_FEAT_NODROP | IORING_FEAT_SUBMIT_STABLE)
    guard unsafe ring.pointee.features & needed == needed, knowsOperations else { throw Errno(ENOSYS) }
    try restrict()
  }

  /// Lets the ring do what it is for and nothing else, whoever writes to its memory: no filter of system calls sees what a ring
  /// is asked for (IORING_REGISTER_RESTRICTIONS, Linux 5.10).
  private func restrict() throws(Errno) {
    var restrictions: [io_uring_restriction] = []
    for operation in Self.operations {
      var restriction = io_uring_restriction()
      restriction.opcode = UInt16(IORING_RESTRICTION_SQE_OP)
      restriction.sqe_op = UInt8(operation.rawValue)
      restrictions.append(restriction)
    }
    var registration = io_uring_restriction()
    registration.opcode = UInt16(IORING_RESTRICTION_REGISTER_OP)
    registration.register_op = UInt8(IORING_REGISTER_EVENTFD)
    restrictions.append(registration)
    let count = UInt32(restrictions.count)
    let number = unsafe ring.pointee.ring_fd
    // By number: not all of liburing's shared libraries have functions for these.
    try checked(
      unsafe restrictions.withUnsafeMutableBufferPointer {
        unsafe clinux_register_with_ring(number, UInt32(IORING_REGISTER_RESTRICTIONS), $0.baseAddress, count)
      })
    try checked(clinux_register_with_ring(number, UInt32(IORING_REGISTER_ENABLE_RINGS), nil, 0))
  }

  deinit {
    // Waits in the kernel for what is under way, or cancels it.
    unsafe io_uring_queue_exit(ring)
    unsafe ring.deallocate()
    unsafe pieces.deallocate()
  }

  private var knowsOperations: Bool {
    guard let probe = unsafe io_uring_get_probe_ring(ring) else { return false }
    defer { unsafe io_uring_free_probe(probe) }
    return Self.operations.allSatisfy { unsafe io_uring_opcode_supported(probe, Int32($0.rawValue)) != 0 }
  }

  /// Each transfer that ends signals `event`.
  package func signal(_ event: EventFD) throws(Errno) {
    let status = unsafe io_uring_register_eventfd(ring, event.raw)
    if status != 0 { throw Errno(-status) }
  }

  /// Adds a piece to the memory of the next transfer; false if there is room for no more until `submit`.
  ///
  /// It must stay valid until the transfer has ended.
  @unsafe package func append(_ piece: UnsafeMutableRawBufferPointer) -> Bool {
    guard usedPieces < Self.pieceLimit else { return false }
    unsafe pieces[usedPieces] = iovec(iov_base: piece.baseAddress, iov_len: piece.count)
    usedPieces += 1
    return true
  }

  /// Forgets the pieces of the transfer that was to come.
  package func dropPieces() { usedPieces = firstPiece }

  /// What becomes of a file.
  package enum Operation: Equatable, Sendable {
    /// preadv(2) from an offset, into the pieces.
    case read(UInt64)
    /// pwritev2(2) at an offset, of the pieces, perhaps with RWF_DSYNC.
    case write(UInt64, isDurable: Bool)
    /// fdatasync(2).
    case flush
    /// fallocate(2): gives the room of bytes back; they are zero then.
    case discard(UInt64, UInt64)
    /// The same, but their room is kept.
    case zero(UInt64, UInt64)
  }

  /// Adds a transfer; false if there is room for no more until `submit`.
  package func add(_ operation: Operation, of descriptor: Int32, token: UInt64) -> Bool {
    guard let entry = unsafe io_uring_get_sqe(ring) else { return false }
    let count = UInt32(usedPieces - firstPiece)
    switch operation {
    case .read(let offset):
      if count == 1 {
        let piece = unsafe pieces[firstPiece]
        unsafe io_uring_prep_read(entry, descriptor, piece.iov_base, UInt32(clamping: piece.iov_len), offset)
      } else {
        unsafe io_uring_prep_readv(entry, descriptor, pieces.baseAddress! + firstPiece, count, offset)
      }
    case .write(let offset, let isDurable):
      if count == 1 {
        let piece = unsafe pieces[firstPiece]
        unsafe io_uring_prep_write(entry, descriptor, piece.iov_base, UInt32(clamping: piece.iov_len), offset)
      } else {
        unsafe io_uring_prep_writev(entry, descriptor, pieces.baseAddress! + firstPiece, count, offset)
      }
      if isDurable { unsafe entry.pointee.rw_flags = WriteFlags.dataSynchronous.rawValue }
    case .flush: unsafe io_uring_prep_fsync(entry, descriptor, IORING_FSYNC_DATASYNC)
    case .discard(let offset, let count):
      let mode = Int32(clinux_FALLOC_PUNCH_HOLE | clinux_FALLOC_KEEP_SIZE)
      unsafe io_uring_prep_fallocate(entry, descriptor, mode, off_t(clamping: offset), off_t(clamping: count))
    case .zero(let offset, let count):
      let mode = Int32(clinux_FALLOC_ZERO_RANGE | clinux_FALLOC_KEEP_SIZE)
      unsafe io_uring_prep_fallocate(entry, descriptor, mode, off_t(clamping: offset), off_t(clamping: count))
    }
    unsafe io_uring_sqe_set_data64(entry, token)
    firstPiece = usedPieces
    collected += 1
    underWay += 1
    return true
  }

  /// Hands over what was added.
  ///
  /// - Returns: false where the kernel does not take all of it now.
  @discardableResult
  package func submit() -> Bool {
    while collected > 0 {
      let count = unsafe io_uring_submit(ring)
      if count > 0 {
        collected -= min(UInt32(count), collected)
      } else if count != -EINTR {
        // Out of memory, or the completions' ring is full: what has ended is to be seen first.
        break
      }
    }
    guard collected == 0 else { return false }
    usedPieces = 0
    firstPiece = 0
    return true
  }

  /// The next transfer that has ended; nil if there is none. Makes no system call unless the completions' ring was full.
  package func next() -> Completion? {
    var entry: UnsafeMutablePointer<io_uring_cqe>?
    guard unsafe io_uring_peek_cqe(ring, &entry) == 0, let entry = unsafe entry else { return nil }
    let completion = unsafe Completion(token: entry.pointee.user_data, result: entry.pointee.res)
    unsafe io_uring_cqe_seen(ring, entry)
    underWay -= 1
    return completion
  }

  /// Hands over what was added, and waits until something has ended; for a moment only, if the kernel took nothing.
  package func wait() {
    guard underWay > 0 else { return }
    if !submit(), underWay == Int(collected) {
      // Nothing can end; memory may come back.
      usleep(1000)
      return
    }
    var entry: UnsafeMutablePointer<io_uring_cqe>?
    _ = unsafe io_uring_wait_cqe(ring, &entry)
  }
}
