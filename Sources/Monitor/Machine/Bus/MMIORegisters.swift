import Devices
import GuestMemory
import Host
import KVM
import Virtio

/// A virtio device's page of registers, as vCPUs access it.
final class MMIORegisters: BusDevice {
  private let transport: MMIOTransport
  private let slot: VirtioSlot
  /// Takes acknowledgements of used buffers, which nobody needs to hear of; nobody reads it.
  private let acknowledged: EventFD

  /// - Parameters:
  ///   - slot: serves the transport's queues.
  ///   - base: guest-physical address of the page.
  init(_ transport: MMIOTransport, _ slot: VirtioSlot, vm: VirtualMachine, base: GuestAddress) throws(MachineError) {
    self.transport = transport
    self.slot = slot
    do {
      acknowledged = try EventFD()
    } catch {
      throw .host("eventfd", error)
    }
    do throws(KVMError) {
      try vm.connect(
        writeOf: MMIOTransport.usedBufferReason, at: base + MMIOTransport.interruptAcknowledgeOffset, to: acknowledged)
      for (index, worker) in slot.workers.enumerated() {
        try vm.connect(writeOf: UInt32(index), at: base + MMIOTransport.queueNotifyOffset, to: worker.event)
      }
    } catch {
      throw .kvm(error)
    }
  }

  func read(offset: UInt64, width: Int) -> UInt64 {
    if offset == MMIOTransport.interruptStatusOffset { return UInt64(transport.read(offset: offset, width: width)) }
    return UInt64(slot.lock.withLock { transport.read(offset: offset, width: width) })
  }

  func write(_ value: UInt64, offset: UInt64, width: Int) {
    let value = UInt32(truncatingIfNeeded: value)
    if offset == MMIOTransport.interruptAcknowledgeOffset {
      return transport.write(value, offset: offset, width: width)
    }
    slot.lock.withLock { transport.write(value, offset: offset, width: width) }
  }
}
