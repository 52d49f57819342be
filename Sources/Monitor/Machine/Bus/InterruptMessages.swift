import KVM
import PCI

/// Hands messages of interrupts to KVM, one system call each as for an irqfd, but with nothing in the kernel that would have to
/// follow whenever the guest moves or masks one.
final class InterruptMessages: MessageSink {
  /// Writes there are interrupts (Intel SDM volume 3, 11.11.1); elsewhere they would be writes to memory, which no driver
  /// asks for.
  private static let addresses: Range<UInt64> = 0xfee0_0000..<0xfef0_0000

  private let vm: VirtualMachine

  init(_ vm: VirtualMachine) { self.vm = vm }

  func send(_ message: InterruptMessage) {
    if Self.addresses.contains(message.address) { vm.signal(messageTo: message.address, data: message.data) }
  }
}
