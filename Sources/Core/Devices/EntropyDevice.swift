package import GuestMemory
package import State
package import Virtio

/// Where a machine's random bytes come from.
package protocol EntropySource: AnyObject {
  /// Whether there is something now. If not, `resume` is called once there is, on the same thread.
  func isReady(_ resume: @escaping () -> Void) -> Bool

  /// Fills `slice` from its start on.
  ///
  /// - Returns: the number of random bytes, less than asked for only if the source has no more now.
  func fill(_ slice: GuestSlice) -> Int
}

/// Random bytes for the guest (Virtio 1.2, 5.4).
package final class EntropyDevice: VirtioDevice {
  /// The most bytes that one request gets: the guest's pool is smaller, and the thread is shared.
  package static let fillLimit = 4096
  /// Requests between which the source is not asked whether there is more.
  private static let turn = Turn(requests: 16)

  package let id: UInt32 = 4
  package let queueSizes: [UInt16] = [64]
  package let requestLimit = RequestLimit(descriptors: 64, bytes: 1 << 20)

  private let source: any EntropySource
  private var chain = DescriptorChain()

  package init(source: any EntropySource) { self.source = source }

  /// Nothing outlives a turn.
  package func save(to fields: inout FieldWriter) {}

  package func process(_ queue: VirtQueue) throws(QueueFault) {
    guard source.isReady({ _ = queue.requestService() }) else { return queue.disableNotifications() }
    try queue.drain(&chain, turn: Self.turn) { chain throws(QueueFault) in
      // 5.4.6.1: there is nothing that the driver could tell an entropy device.
      guard chain.readable.isEmpty else { throw .request }
      var filled = 0
      var isDry = false
      chain.writable.forEachPiece(count: Self.fillLimit) { piece in
        guard !isDry else { return }
        let count = source.fill(piece)
        filled += count
        isDry = count < piece.count
      }
      return filled
    }
  }
}
