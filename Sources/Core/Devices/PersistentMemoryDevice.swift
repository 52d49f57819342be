internal import GuestMemory
internal import LittleEndian
package import State
package import Virtio

/// What keeps the bytes of persistent memory.
package protocol PersistentMemoryBackend: AnyObject {
  /// Brings all that the guest has written so far to stable storage, and waits until it is there. On the thread of the
  /// device's queue.
  ///
  /// - Returns: whether it is there.
  func flush() -> Bool
}

/// Memory that outlives the machine (Virtio 1.2, 5.19). The guest reads and writes it as it does RAM; the device is there to
/// be asked that what was written be kept.
///
/// Its queue has a thread, since that takes its time. What is asked meanwhile is answered by one flush for all.
package final class PersistentMemoryDevice: VirtioDevice {
  /// Where Linux finds it usable: the alignment of its first byte and of its size, so much of memory as can be added at once
  /// (SUBSECTION_SIZE).
  package static let alignment: UInt64 = 2 << 20

  package let id: UInt32 = 27
  package let queueSizes: [UInt16] = [64]
  package let requestLimit = RequestLimit(descriptors: 16, bytes: 4096)
  package let isParallel = true

  private let addresses: Range<UInt64>
  private let backend: any PersistentMemoryBackend
  private var chain = DescriptorChain()
  private var requests: [Request] = []

  /// One that has been taken off the queue.
  private struct Request {
    let head: UInt16
    let isFlush: Bool
    /// Where the answer goes.
    let answer: [GuestSlice]
  }

  /// - Parameter addresses: where the guest finds the memory; both ends are multiples of `alignment`.
  package init(_ addresses: Range<UInt64>, backend: any PersistentMemoryBackend) {
    self.addresses = addresses
    self.backend = backend
    requests.reserveCapacity(Int(queueSizes[0]))
  }

  /// 5.19.4: le64 start, le64 size.
  package var configuration: [UInt8] {
    littleEndian(addresses.lowerBound) + littleEndian(addresses.upperBound - addresses.lowerBound)
  }

  package func process(_ queue: VirtQueue) throws(QueueFault) {
    var budget = 4 * Int(queue.maximumSize)
    repeat {
      queue.disableNotifications()
      while try take(queue) {
        // One flush holds for whatever was written before it began.
        let isKept = !requests.contains { $0.isFlush } || backend.flush()
        for request in requests {
          let result = request.isFlush && isKept ? Answer.ok : Answer.failed
          request.answer.copy(from: littleEndian(result.rawValue))
          queue.push(head: request.head, written: Self.answerSize)
        }
        queue.notifyDriver()
        budget -= requests.count
        requests.removeAll(keepingCapacity: true)
        if budget <= 0, queue.requestService() { return }
      }
    } while !queue.enableNotifications()
  }

  /// Takes what is in the queue, and no more than it holds, though a driver may add to it all the time.
  ///
  /// - Returns: whether that is anything.
  private func take(_ queue: VirtQueue) throws(QueueFault) -> Bool {
    while requests.count < Int(queue.maximumSize), try queue.pop(&chain) {
      // 5.19.6: struct virtio_pmem_req, struct virtio_pmem_resp.
      guard let request = chain.readable.bytes(count: Self.requestSize), chain.writableCount >= Self.answerSize else {
        throw .request
      }
      let type: UInt32 = request.field(at: 0)
      requests.append(Request(head: chain.head, isFlush: type == Self.flush, answer: chain.writable))
    }
    return !requests.isEmpty
  }

  private enum Field {
    static let start: UInt16 = 1
    static let end: UInt16 = 2
  }

  /// Where the memory is; nothing else outlives a turn.
  package func save(to fields: inout FieldWriter) {
    fields.put(Field.start, addresses.lowerBound)
    fields.put(Field.end, addresses.upperBound)
  }

  package func restore(from fields: inout FieldReader, _ queues: [VirtQueue]) throws(StateError) {
    guard try fields.number(Field.start) == addresses.lowerBound else { throw fields.fault(Field.start) }
    guard try fields.number(Field.end) == addresses.upperBound else { throw fields.fault(Field.end) }
  }

  package func reset() { requests.removeAll(keepingCapacity: true) }

  /// VIRTIO_PMEM_REQ_TYPE_FLUSH
  private static let flush: UInt32 = 0
  private static let requestSize = 4
  private static let answerSize = 4

  /// What a driver is told (5.19.7): 0, or anything else for what is not kept, or not known.
  private enum Answer: UInt32 {
    case ok = 0
    case failed = 0xffff_ffff
  }
}
