import Devices
import Host

/// A disk that does only so much in a second. Requests beyond that wait in the guest's queues.
final class RateLimitedDisk: BlockBackend, @unchecked Sendable {
  /// Shorter waits are not worth their wake-ups.
  private static let leastWait: UInt64 = 1_000_000

  private let disk: any BlockBackend
  private let lock = Lock()
  private var bytes: TokenBucket?
  private var operations: TokenBucket?
  private var timer: Timer?
  private var isWaiting: [Bool]

  /// The device that it belongs to, which is made after it.
  var device: BlockDevice?

  /// - Parameters:
  ///   - rate: bytes in a second; a tenth of a second's pass at once.
  ///   - operations: requests in a second, as well.
  init(_ disk: any BlockBackend, rate: Int?, operations: Int?, queueCount: Int, loop: EventLoop) throws(Errno) {
    self.disk = disk
    bytes = rate.map { TokenBucket(rate: UInt64($0), burst: UInt64(max($0 / 10, 1))) }
    self.operations = operations.map { TokenBucket(rate: UInt64($0), burst: UInt64(max($0 / 10, 1))) }
    isWaiting = [Bool](repeating: false, count: queueCount)
    timer = try Timer(loop) { [self] in resume() }
  }

  func begin(_ request: BlockRequest, isAlone: Bool) -> BlockProgress {
    let isAllowed = lock.withLock {
      let now = Timer.now
      let wait = max(bytes?.wait(at: now) ?? 0, operations?.wait(at: now) ?? 0)
      guard wait == 0 else {
        isWaiting[request.queue] = true
        timer?.start(nanoseconds: max(wait, Self.leastWait))
        return false
      }
      bytes?.take(request.transferCount)
      operations?.take(1)
      return true
    }
    guard isAllowed else { return .later }
    // What is inside never asks to come back later, so nothing is counted twice.
    return disk.begin(request, isAlone: isAlone)
  }

  func submit(queue: Int) { disk.submit(queue: queue) }

  func takeEnded(queue: Int) -> BlockRequest? { disk.takeEnded(queue: queue) }

  func settle() { disk.settle() }

  func forget() {
    disk.forget()
    lock.withLock {
      for queue in isWaiting.indices { isWaiting[queue] = false }
    }
  }

  private func resume() {
    let queues = lock.withLock {
      let queues = isWaiting.indices.filter { isWaiting[$0] }
      for queue in queues { isWaiting[queue] = false }
      return queues
    }
    for queue in queues { device?.wake(queue: queue) }
  }
}
