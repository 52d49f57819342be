import Devices
import GuestMemory
import Host
import IOURing

/// Requests of one queue that the host's kernel does for us, by io_uring. Touched only by the thread of that queue, and by
/// whoever settles it; so accesses to what it has need no checks as the program runs.
final class DiskRing {
  /// What one system call hands over at most.
  private static let entries: UInt32 = 128

  private let ring: IORing
  private let file: DiskFile
  /// Those under way; their places are their tokens.
  @safe @exclusivity(unchecked) private var requests: [BlockRequest?] = []
  @safe @exclusivity(unchecked) private var free: [Int] = []
  /// Those that ended while they were waited for.
  @safe @exclusivity(unchecked) private var ended: [(request: BlockRequest, status: BlockStatus?)] = []

  /// - Throws: the host has no io_uring for us.
  init(_ file: DiskFile) throws(Errno) {
    self.file = file
    ring = try IORing(entries: Self.entries)
  }

  /// What ends signals `event`.
  func signal(_ event: EventFD) throws(Errno) { try ring.signal(event) }

  /// Takes a request, which `submit` then hands over; false if it is none for a ring. What changes the page cache is none:
  /// the kernel leaves that to threads of its own, which are no better than ours.
  func begin(_ request: BlockRequest) -> Bool {
    guard file.isDirect || request.isRead, let operation = request.operation.inOneStep else { return false }
    let token = free.popLast() ?? requests.count
    if token == requests.count { requests.append(nil) }
    let data = request.transferCount > 0 ? request.data : []
    guard add(operation, data, token) || (submit() && add(operation, data, token)) else {
      free.append(token)
      return false
    }
    requests[token] = request
    return true
  }

  /// Hands over what was begun.
  ///
  /// - Returns: false where the host has no memory for all of it now: it is to be called again.
  @discardableResult
  func submit() -> Bool { ring.submit() }

  /// A request that has ended, with its status: nil where it takes more than one step after all.
  func takeEnded() -> (request: BlockRequest, status: BlockStatus?)? {
    ended.popLast() ?? takeCompletion()
  }

  private func takeCompletion() -> (request: BlockRequest, status: BlockStatus?)? {
    guard let completion = ring.next() else { return nil }
    let token = Int(completion.token)
    guard let request = requests[token] else { return nil }
    requests[token] = nil
    free.append(token)
    guard completion.result >= 0 else { return (request, request.status(of: Errno(-completion.result))) }
    return (request, Int(completion.result) == request.transferCount ? .ok : nil)
  }

  /// Returns once nothing is under way.
  func settle() {
    while ring.underWay > 0 {
      ring.wait()
      while let completion = takeCompletion() { ended.append(completion) }
    }
  }

  /// Forgets what has ended.
  func forget() { ended = [] }

  private func add(_ operation: IORing.Operation, _ data: [GuestSlice], _ token: Int) -> Bool {
    for piece in data {
      // Guest RAM outlives the request.
      guard unsafe ring.append(piece.hostBytes) else {
        ring.dropPieces()
        return false
      }
    }
    guard ring.add(operation, of: file.raw, token: UInt64(token)) else {
      ring.dropPieces()
      return false
    }
    return true
  }
}

extension BlockOperation {
  /// How one call of the host's does it all; nil where none does.
  fileprivate var inOneStep: IORing.Operation? {
    switch self {
    case .read(let offset): .read(offset)
    case .write(let offset, let isDurable): .write(offset, isDurable: isDurable)
    case .flush: .flush
    case .discard(let offset, let count): count > 0 ? .discard(offset, count) : nil
    case .writeZeroes(let offset, let count, let mayDiscard, let isDurable):
      count == 0 || isDurable ? nil : mayDiscard ? .discard(offset, count) : .zero(offset, count)
    }
  }
}

extension BlockRequest {
  fileprivate var isRead: Bool {
    if case .read = operation { true } else { false }
  }

  /// What the guest hears of an error, or nil where the same may be done in another way.
  ///
  /// A file tells only once that it lost what was written: a flush is not tried again.
  fileprivate func status(of error: Errno) -> BlockStatus? {
    switch error {
    case .interrupted, .wouldBlock: nil
    case .invalid, .notSupported: operation == .flush ? .failed : nil
    default: .failed
    }
  }
}
