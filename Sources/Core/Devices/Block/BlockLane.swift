internal import State
internal import Virtio

/// What a disk has of one of its queues. Touched only by the thread of that queue.
final class BlockLane {
  private let index: Int
  private var free: [BlockRequest] = []
  /// Requests that the backend has.
  private(set) var underWay = 0
  /// A request that was taken off the queue and could not be begun yet.
  private(set) var held: BlockRequest?

  init(_ index: Int) { self.index = index }

  /// Makes sure of a request to begin; nil if the driver has none.
  func next(from queue: VirtQueue) throws(QueueFault) -> BlockRequest? {
    if let held { return held }
    let request = free.popLast() ?? BlockRequest(queue: index)
    guard try queue.pop(&request.chain) else {
      free.append(request)
      return nil
    }
    held = request
    return request
  }

  /// Has a request again that was held when a state was written.
  func hold(_ head: UInt16, of queue: VirtQueue, _ fault: StateError) throws(StateError) {
    let request = free.popLast() ?? BlockRequest(queue: index)
    if try queue.walkAgain(head: head, &request.chain, fault) { held = request } else { free.append(request) }
  }

  /// The backend has the held request.
  func handOver() {
    held = nil
    underWay += 1
  }

  /// The held request has ended.
  func finishHeld() {
    if let held { free.append(held) }
    held = nil
  }

  /// One that the backend had has ended.
  func takeBack(_ request: BlockRequest) {
    underWay -= 1
    free.append(request)
  }

  func reset() {
    finishHeld()
    underWay = 0
  }
}
