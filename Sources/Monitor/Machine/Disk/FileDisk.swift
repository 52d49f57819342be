import Devices
import GuestMemory
import Host

/// A disk's blocks in a file or on a device of the host's.
///
/// What a queue's thread can do at once it does itself: what is in the page cache, and what nothing else waits behind. The
/// kernel does by io_uring what it can without a thread. For all else, or where that is not to be had, there are a few
/// threads, which come when they are needed and go when they are not.
final class FileDisk: BlockBackend, @unchecked Sendable {
  /// As many requests are with the host at once. More only wait there.
  private static let mostThreads = 16
  /// How long a thread without work stays, in seconds.
  private static let patience = 5

  /// The device that it belongs to, which is made after it.
  var device: BlockDevice?

  let file: DiskFile
  private let transfer: DiskTransfer
  /// One for each queue, or none.
  private var rings: [DiskRing] = []

  /// One for each queue.
  private let writes: [QuickWrites]

  private let lock = Lock()
  private let work = Condition()
  private let rest = Condition()
  /// Requests that no thread has yet.
  private var waiting = Round<BlockRequest>()
  private var ended: [[BlockRequest]]
  /// Requests that were taken and have not ended.
  private var underWay = 0
  private var threads = 0
  private var idleThreads = 0

  /// - Parameter ignoresFlushes: nothing is kept before the host likes to.
  init(_ file: DiskFile, queueCount: Int, ignoresFlushes: Bool) {
    self.file = file
    transfer = DiskTransfer(file, ignoresFlushes: ignoresFlushes)
    writes = (0..<queueCount).map { _ in QuickWrites() }
    ended = [[BlockRequest]](repeating: [], count: queueCount)
  }

  /// Has the kernel do what it can by itself, if it has io_uring for us. Before the first request.
  ///
  /// - Parameter events: have a queue served when they are signalled, one for each.
  /// - Returns: whether it does.
  @discardableResult
  func useRings(_ events: [EventFD]) -> Bool {
    do throws(Errno) {
      var rings: [DiskRing] = []
      for event in events {
        let ring = try DiskRing(file)
        try ring.signal(event)
        rings.append(ring)
      }
      self.rings = rings
      return true
    } catch {
      return false
    }
  }

  func begin(_ request: BlockRequest, isAlone: Bool) -> BlockProgress {
    if transfer.readCached(request) { return .ended(.ok) }
    if isAlone || transfer.isNothing(request) { return .ended(transfer.perform(request)) }
    if !rings.isEmpty, rings[request.queue].begin(request) { return .underWay }
    if !file.isDirect, writes[request.queue].takes(request) {
      let start = Timer.now
      let status = transfer.perform(request)
      writes[request.queue].took(Timer.now - start)
      return .ended(status)
    }
    return hand(request)
  }

  func submit(queue: Int) {
    if !rings.isEmpty, !rings[queue].submit() { device?.wake(queue: queue) }
  }

  /// Gives a request to the threads.
  private func hand(_ request: BlockRequest) -> BlockProgress {
    let isTaken = lock.withLock {
      waiting.append(request)
      underWay += 1
      if idleThreads > 0 {
        work.signal()
        return true
      }
      if threads < Self.mostThreads, (try? Thread("disk") { [self] in serve() }) != nil { threads += 1 }
      if threads > 0 { return true }
      waiting.removeLast()
      underWay -= 1
      return false
    }
    // A host without room for threads.
    return isTaken ? .underWay : .ended(transfer.perform(request))
  }

  func takeEnded(queue: Int) -> BlockRequest? {
    while !rings.isEmpty, let (request, status) = rings[queue].takeEnded() {
      if let status {
        request.status = status
        return request
      }
      if case .ended(let status) = hand(request) {
        request.status = status
        return request
      }
    }
    return lock.withLock { ended[queue].popLast() }
  }

  func settle() {
    for ring in rings { ring.settle() }
    lock.withLock {
      while underWay > 0 { rest.wait(lock) }
    }
  }

  func forget() {
    for ring in rings { ring.forget() }
    lock.withLock {
      for queue in ended.indices { ended[queue] = [] }
    }
  }

  /// A thread's life.
  private func serve() {
    while let request = take() {
      request.status = transfer.perform(request)
      let isFirst = lock.withLock {
        ended[request.queue].append(request)
        underWay -= 1
        if underWay == 0 { rest.broadcast() }
        return ended[request.queue].count == 1
      }
      // Whoever takes the first takes all.
      if isFirst { device?.wake(queue: request.queue) }
    }
  }

  /// The next request, or nil when there was none for a while.
  private func take() -> BlockRequest? {
    lock.withLock {
      while waiting.isEmpty {
        idleThreads += 1
        let isWoken = work.wait(lock, seconds: Self.patience)
        idleThreads -= 1
        if !isWoken, waiting.isEmpty {
          threads -= 1
          return nil
        }
      }
      return waiting.removeFirst()
    }
  }
}
