import Devices
import Host
import KVM
import Synchronization
import Virtio

/// A virtio device's place in the machine: its window, its interrupt, and the thread that works for it.
///
/// Register accesses come on vCPU threads and take the slot's lock. Queues are served on the event loop, or each on a
/// thread of its own where the device says that it may block.
final class VirtioSlot: BusDevice, TransportOwner {
  private let lock = Lock()
  private let loop: EventLoop
  private var transport: MMIOTransport!
  private var workers: [QueueWorker] = []
  /// Takes acknowledgements of used buffers, which nobody needs to hear of; nobody reads it.
  private let acknowledged: EventFD

  /// - Parameters:
  ///   - base: guest-physical address of the register window.
  ///   - shown: the window as the guest reads it.
  init(
    _ device: any VirtioDevice, machine: Machine, base: UInt64, shown: ShownRegisters, line: any InterruptLine
  ) throws(MachineError) {
    loop = machine.loop
    do {
      acknowledged = try EventFD()
    } catch {
      throw .host("eventfd", error)
    }
    transport = MMIOTransport(device, memory: machine.memory, line: line, owner: self, shown: shown)
    do {
      try machine.vm.connect(
        writeOf: MMIOTransport.usedBufferReason, at: base + MMIOTransport.interruptAcknowledgeOffset, to: acknowledged)
    } catch {
      throw .kvm(error)
    }
    for queue in transport.queues {
      let event: EventFD
      do throws(Errno) {
        event = try EventFD(isBlocking: device.isParallel)
      } catch {
        throw .host("eventfd", error)
      }
      do {
        try machine.vm.connect(
          writeOf: UInt32(queue.index), at: base + MMIOTransport.queueNotifyOffset, to: event)
      } catch {
        throw .kvm(error)
      }
      let worker = QueueWorker(queue, of: transport, event: event)
      workers.append(worker)
      do throws(Errno) {
        if device.isParallel {
          try worker.startThread("queue \(queue.index)")
        } else {
          try loop.add(event.raw, .readable, worker)
        }
      } catch {
        throw .host("worker of a queue", error)
      }
    }
  }

  func read(offset: UInt64, width: Int) -> UInt64 {
    if offset == MMIOTransport.interruptStatusOffset { return UInt64(transport.read(offset: offset, width: width)) }
    return UInt64(lock.withLock { transport.read(offset: offset, width: width) })
  }

  func write(_ value: UInt64, offset: UInt64, width: Int) {
    let value = UInt32(truncatingIfNeeded: value)
    if offset == MMIOTransport.interruptAcknowledgeOffset {
      return transport.write(value, offset: offset, width: width)
    }
    lock.withLock { transport.write(value, offset: offset, width: width) }
  }

  func withDevice(_ body: () -> Void) {
    if transport.device.isParallel { body() } else { loop.perform(body) }
  }

  func started() {
    for worker in workers { worker.resume() }
  }

  /// Ends the service for good. Returns once nobody works on the queues.
  func retire() {
    for worker in workers { worker.retire() }
  }

  func stopped() {
    for worker in workers { worker.pause() }
  }

  /// The device's configuration has changed. From any thread.
  func configurationChanged() { transport.configurationChanged() }

  func notified(queue: UInt32) {
    if let index = Int(exactly: queue), index < workers.count { workers[index].wake() }
  }
}
