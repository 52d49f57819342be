import Chipset
import Virtio

/// A virtio device's place in the machine: its window of registers, its interrupt, and who works on its queues: whoever
/// handles the exit by which the driver notified one.
final class VirtioSlot: TransportOwner, InterruptLine {
  private let machine: Machine
  let base: UInt64
  let input: Int
  private(set) var transport: MMIOTransport!
  private var waiting = WaitingQueues()
  private var isLive = false

  init(_ device: any VirtioDevice, _ machine: Machine, index: Int) {
    self.machine = machine
    base = Platform.virtioWindow(index)
    input = Platform.firstVirtioInterrupt + index
    transport = MMIOTransport(device, memory: machine.memory, line: self, owner: self)
  }

  func raise() { machine.raise(input) }

  func withDevice(_ body: () -> Void) { body() }

  func started() {
    isLive = true
    waiting.markAll()
  }

  func stopped() { isLive = false }

  func notified(queue: UInt32) { waiting.mark(queue) }

  /// Whether a queue waits for its turn.
  var hasWork: Bool { isLive && !waiting.isEmpty }

  /// Gives each queue that waits one turn. One that has more to do waits for the next.
  func serve() {
    var turn = waiting.take()
    while isLive, let index = turn.next() {
      guard index < transport.queues.count else { continue }
      do throws(QueueFault) {
        try transport.device.process(transport.queues[index])
      } catch {
        // The driver broke the rules: its device stops until it resets it.
        isLive = false
        transport.needsReset()
      }
    }
  }
}
