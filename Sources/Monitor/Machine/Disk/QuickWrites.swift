import Devices

/// Small writes into the page cache, which rarely wait for anything: the queue's thread does them for as long as that is so,
/// since to wake another one takes longer. Touched only by the thread of its queue.
final class QuickWrites {
  /// Bytes; a longer one takes its time by itself.
  static let sizeLimit = 64 << 10
  /// One that took longer has waited, in nanoseconds: for the file system, or because too much is to be written back.
  static let timeLimit: UInt64 = 500_000
  /// How many are left to other threads then.
  static let pause = 64

  private var left = 0

  /// Whether the queue's thread does a request; another one if not.
  func takes(_ request: BlockRequest) -> Bool {
    guard case .write(_, false) = request.operation, request.transferCount <= Self.sizeLimit else { return false }
    guard left == 0 else {
      left -= 1
      return false
    }
    return true
  }

  /// One that it did took so many nanoseconds.
  func took(_ time: UInt64) {
    if time > Self.timeLimit { left = Self.pause }
  }
}
