package import GuestMemory
package import State
package import Virtio

/// A FUSE server, as a virtio-fs device sees it.
package protocol FileSystemBackend: AnyObject {
  /// Answers one request. Several threads may call at once.
  ///
  /// - Parameters:
  ///   - readable: a FUSE request: `fuse_in_header` and what follows it.
  ///   - writable: room for the reply; empty for a request that wants none.
  /// - Returns: bytes written to `writable`.
  func serve(readable: [GuestSlice], writable: [GuestSlice]) -> UInt32

  /// The driver has gone, with all that it had open: the device was reset. Nobody is served meanwhile.
  func disconnected()

  /// Adds what it knows of its client to a machine's state. Nobody is served meanwhile.
  func save(to fields: inout FieldWriter) throws(StateError)

  /// Makes it what it was. Nobody has been served.
  func restore(from fields: inout FieldReader) throws(StateError)
}

/// A file system of the host's, by FUSE messages (Virtio 1.2, 5.11).
///
/// Queue 0 takes what must not wait behind ordinary requests; each further one may have a thread of its own. Nothing is
/// shared between queues but the backend.
package final class FileSystemDevice: VirtioDevice {
  package let id: UInt32 = 26
  package let queueSizes: [UInt16]
  // 1 MiB of data (`max_pages` and `max_write` of FUSE_INIT) one way or, in an ioctl, both, with headers and arguments. Linux
  // describes it page by page, even where the queue has fewer entries (before 5.13).
  package let requestLimit = RequestLimit(descriptors: 2 * (256 + 8), bytes: 2 * (1 << 20 + 8192))
  /// Then whoever waits for a queue to rest sees that it does.
  private static let turn = Turn(requests: 64, bytes: 8 << 20)
  package let configuration: [UInt8]
  package let isParallel = true

  private let backend: any FileSystemBackend
  /// Where the guest finds the DAX window, if there is one.
  private let window: Range<UInt64>?
  /// One for each queue, touched only by the queue's thread.
  private let chains: [ReusableChain]

  /// - Parameters:
  ///   - tag: the name to mount it by, 1 to 36 bytes of UTF-8 without NUL; longer ones are cut.
  ///   - requestQueues: at least 1.
  ///   - window: guest-physical addresses at which the backend shows pieces of files.
  package init(
    tag: [UInt8], requestQueues: Int, queueSize: UInt16 = 128, window: Range<UInt64>? = nil,
    backend: any FileSystemBackend
  ) {
    let requestQueues = max(requestQueues, 1)
    self.backend = backend
    self.window = window
    queueSizes = [UInt16](repeating: queueSize, count: 1 + requestQueues)
    var chains: [ReusableChain] = []
    for _ in 0...requestQueues { chains.append(ReusableChain()) }
    self.chains = chains

    // 5.11.4: tag[36], padded with NULs; le32 num_request_queues.
    var configuration = [UInt8](tag.prefix(36))
    configuration += [UInt8](repeating: 0, count: 36 - configuration.count)
    for byte in 0..<4 { configuration.append(UInt8(truncatingIfNeeded: requestQueues >> (8 * byte))) }
    self.configuration = configuration
  }

  package func process(_ queue: VirtQueue) throws(QueueFault) {
    guard queue.index < chains.count else { return }
    try queue.drain(&chains[queue.index].chain, turn: Self.turn) { chain throws(QueueFault) in
      let written = backend.serve(readable: chain.readable, writable: chain.writable)
      // Whatever a server says, the driver must not be told of more than it gave room for.
      return min(Int(written), chain.writableCount)
    }
  }

  package func reset() { backend.disconnected() }

  /// Nothing is with the device between two requests.
  package func save(to fields: inout FieldWriter) throws(StateError) { try backend.save(to: &fields) }

  package func restore(from fields: inout FieldReader, _ queues: [VirtQueue]) throws(StateError) {
    try backend.restore(from: &fields)
  }

  /// The DAX window is region 0 (5.11.6.4).
  package func sharedMemory(_ number: UInt32) -> Range<UInt64>? { number == 0 ? window : nil }
}

/// For a server of which there is no state.
extension FileSystemBackend {
  package func save(to fields: inout FieldWriter) throws(StateError) { throw .cannotSave(device: 26) }
  package func restore(from fields: inout FieldReader) throws(StateError) { throw .cannotSave(device: 26) }
}

private final class ReusableChain {
  var chain = DescriptorChain()
}
