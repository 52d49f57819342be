/// The host's end of a disk: it moves blocks between the guest's memory and what keeps them.
///
/// `begin`, `submit` and `takeEnded` of one queue come on the thread of that queue, those of other queues at the same time. Each time
/// a request has ended by itself, or may be begun after all, the backend calls `BlockDevice.wake`.
package protocol BlockBackend: AnyObject {
  /// Begins a request, whose place on the disk is checked.
  ///
  /// - Parameter isAlone: its queue has nothing else under way or waiting, so the queue's thread may as well do it itself.
  func begin(_ request: BlockRequest, isAlone: Bool) -> BlockProgress

  /// No more is begun for now: what was begun on a queue is to go its way, if it does not already.
  func submit(queue: Int)

  /// A request of a queue that was under way and has ended, with its `status`; nil when there is none.
  func takeEnded(queue: Int) -> BlockRequest?

  /// Returns once nothing is under way any more; `takeEnded` then gives what has ended. No queue is served meanwhile.
  func settle()

  /// Forgets what has ended, once nothing is under way any more.
  func forget()
}

/// How far a request is after `begin`.
package enum BlockProgress: Equatable, Sendable {
  case ended(BlockStatus)
  /// `takeEnded` gives it back; the guest's memory is the backend's until then.
  case underWay
  /// Nothing was done; it is to be begun anew.
  case later
}

/// How a request ended (Virtio 1.2, 5.2.6): VIRTIO_BLK_S_…
package enum BlockStatus: UInt8, Sendable {
  case ok = 0
  case failed = 1  // IOERR
  case unsupported = 2  // UNSUPP
}

/// What is asked of a disk. Offsets and counts are in bytes, within the disk.
package enum BlockOperation: Equatable, Sendable {
  case read(offset: UInt64)
  /// - Parameter isDurable: what was written is to be kept when the request ends, not only at the next flush.
  case write(offset: UInt64, isDurable: Bool)
  /// What was written before is to be kept when the request ends.
  case flush
  /// The driver has no more use for these bytes.
  case discard(offset: UInt64, count: UInt64)
  /// - Parameter mayDiscard: whether the room for them may be given back.
  case writeZeroes(offset: UInt64, count: UInt64, mayDiscard: Bool, isDurable: Bool)
}
