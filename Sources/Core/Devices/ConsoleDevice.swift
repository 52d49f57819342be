package import GuestMemory
internal import LittleEndian
package import State
package import Virtio

/// The host's end of a console. Neither call may block.
package protocol ConsoleBackend: AnyObject {
  /// Takes output, from byte `offset` of `slices` on.
  ///
  /// - Returns: the number of bytes taken; if that is not all of them, `outputReady` follows once there is room.
  func write(_ slices: [GuestSlice], from offset: Int) -> Int

  /// Fills `slices` with input from their start on.
  ///
  /// - Returns: the number of bytes; if 0, `inputReady` follows once there is input.
  func read(into slices: [GuestSlice]) -> Int
}

/// A console of one port (Virtio 1.2, 5.3).
///
/// Both directions push back: output that the host does not take stays in the guest's buffers, input that the guest has no
/// buffers for stays with the host.
package final class ConsoleDevice: VirtioDevice {
  /// VIRTIO_CONSOLE_F_SIZE
  private static let hasSize = Features(rawValue: 1 << 0)
  private static let receive = 0
  private static let transmit = 1
  private static let turn = Turn(requests: 256, bytes: 64 << 10)

  package let id: UInt32 = 3
  package let features: Features = ConsoleDevice.hasSize
  package let queueSizes: [UInt16] = [64, 64]
  // Linux sends 32 KiB at most, and as many pages at once as a pipe has.
  package let requestLimit = RequestLimit(descriptors: 256, bytes: 1 << 20)

  private let backend: any ConsoleBackend
  private var columns: UInt16
  private var rows: UInt16

  private var queues: [VirtQueue] = []
  private var input = HeldChain()
  private var output = HeldChain()
  /// What the driver did wrong while the host's side was being served, kept for the next `process`.
  private var fault: QueueFault?

  package init(columns: UInt16 = 0, rows: UInt16 = 0, backend: any ConsoleBackend) {
    self.columns = columns
    self.rows = rows
    self.backend = backend
  }

  /// 5.3.4: cols, rows, max_nr_ports, emerg_wr. The last two belong to features that are not offered.
  package var configuration: [UInt8] {
    littleEndian(columns) + littleEndian(rows) + [UInt8](repeating: 0, count: 8)
  }

  /// The terminal has another size; the transport's `configurationChanged` then tells the driver.
  package func resize(columns: UInt16, rows: UInt16) {
    self.columns = columns
    self.rows = rows
  }

  package func start(_ queues: [VirtQueue], features: Features) { self.queues = queues }

  package func process(_ queue: VirtQueue) throws(QueueFault) {
    if let fault { throw fault }
    if queue.index == Self.receive { try fill(queue) } else { try empty(queue) }
  }

  package func reset() {
    queues = []
    input = HeldChain()
    output = HeldChain()
    fault = nil
  }

  // MARK: State

  private enum Field {
    static let input: UInt16 = 1
    static let output: UInt16 = 2
    static let written: UInt16 = 3
    static let isFaulty: UInt16 = 4
  }

  /// The terminal's size is that of the terminal that is there.
  package func save(to fields: inout FieldWriter) {
    if input.isHeld { fields.put(Field.input, input.chain.head) }
    if output.isHeld {
      fields.put(Field.output, output.chain.head)
      fields.put(Field.written, UInt64(output.done))
    }
    if fault != nil { fields.put(Field.isFaulty, true) }
  }

  package func restore(from fields: inout FieldReader, _ queues: [VirtQueue]) throws(StateError) {
    if let head: UInt16 = try fields.optional(Field.input) {
      input.isHeld = try queues[Self.receive].walkAgain(head: head, &input.chain, fields.fault(Field.input))
    }
    if let head: UInt16 = try fields.optional(Field.output) {
      output.isHeld = try queues[Self.transmit].walkAgain(head: head, &output.chain, fields.fault(Field.output))
      // A driver may have made it shorter since.
      output.done = min(Int(clamping: try fields.number(Field.written) as UInt64), output.chain.readableCount)
    }
    if try fields.flag(Field.isFaulty, absent: false) { fault = .request }
  }

  /// The host has input.
  package func inputReady() { serve(Self.receive) }

  /// The host has room for output again.
  package func outputReady() { serve(Self.transmit) }

  private func serve(_ index: Int) {
    guard fault == nil, index < queues.count else { return }
    do throws(QueueFault) {
      try process(queues[index])
    } catch {
      fault = error
      _ = queues[index].requestService()
    }
  }

  /// Input into the driver's buffers, for as long as there are both.
  private func fill(_ queue: VirtQueue) throws(QueueFault) {
    queue.disableNotifications()
    defer { queue.notifyDriver() }
    var turn = Self.turn
    while try input.take(from: queue) {
      guard input.chain.readable.isEmpty, input.chain.writableCount > 0 else { throw .request }
      let count = backend.read(into: input.chain.writable)
      if count == 0 { return }
      queue.push(input.chain, written: count)
      input.isHeld = false
      turn.spend(bytes: count, pieces: input.chain.writable.count)
      if turn.isOver, queue.requestService() { return }
    }
  }

  /// Output from the driver's buffers, for as long as the host takes it.
  private func empty(_ queue: VirtQueue) throws(QueueFault) {
    queue.disableNotifications()
    defer { queue.notifyDriver() }
    var turn = Self.turn
    while try output.take(from: queue) {
      guard output.chain.writable.isEmpty else { throw .request }
      let total = output.chain.readableCount
      output.done += backend.write(output.chain.readable, from: output.done)
      if output.done < total { return }
      queue.push(output.chain)
      output.isHeld = false
      turn.spend(output.chain)
      if turn.isOver, queue.requestService() { return }
    }
  }
}

/// A chain that is with the device for as long as its other side is not ready.
private struct HeldChain {
  var chain = DescriptorChain()
  var isHeld = false
  /// Bytes of it that are dealt with.
  var done = 0

  /// Makes sure of a chain; false if the driver has none, and will notify the next.
  mutating func take(from queue: VirtQueue) throws(QueueFault) -> Bool {
    while !isHeld {
      if try queue.pop(&chain) {
        isHeld = true
        done = 0
      } else if queue.enableNotifications() {
        return false
      } else {
        queue.disableNotifications()
      }
    }
    return true
  }
}
