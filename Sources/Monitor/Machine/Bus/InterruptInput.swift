import Host
import KVM
import Virtio

/// An input of the I/O APIC, raised as an edge from any thread.
///
/// By system calls into the VM and not by an irqfd: for an input, that wakes a thread of the kernel's, which then does the same.
final class InterruptInput: InterruptLine {
  private let vm: VirtualMachine
  private let line: UInt32
  /// An edge that comes while another has the input up would be lost.
  private let lock = Lock()

  init(_ vm: VirtualMachine, line: UInt32) {
    self.vm = vm
    self.line = line
  }

  func raise() { lock.withLock { vm.pulse(line) } }
}
