import Host
import KVM
import Virtio

/// An input of the I/O APIC, raised through an irqfd: from any thread, with no system call into the VM.
final class InterruptEvent: InterruptLine {
  private let event: EventFD

  init(_ machine: VirtualMachine, line: UInt32) throws(MachineError) {
    do {
      event = try EventFD()
    } catch {
      throw .host("eventfd", error)
    }
    do {
      try machine.connect(event, toInterrupt: line)
    } catch {
      throw .kvm(error)
    }
  }

  func raise() { event.signal() }
}
