import CKVM
import CLinux
import GuestMemory
import Host

/// A machine as KVM sees it: memory slots, interrupt controller, event descriptors.
public final class VirtualMachine: Sendable {
  /// Three pages below the local APIC that KVM needs on Intel, where no RAM is (KVM_SET_TSS_ADDR).
  private static let taskStateAddress: UInt = 0xfffb_d000
  private static let identityMapAddress: UInt64 = 0xfffb_c000

  public let system: KVMSystem
  let descriptor: FileDescriptor

  /// Makes an empty machine with an in-kernel interrupt controller and no timer chip.
  public init(_ system: KVMSystem) throws(KVMError) {
    self.system = system
    // EINTR comes when a signal arrives while the kernel allocates.
    do throws(Errno) {
      descriptor = FileDescriptor(
        owning: try retryingInterrupts { clinux_ioctl(system.descriptor.raw, ckvm_create_vm, 0) })
    } catch {
      throw .request("KVM_CREATE_VM", error)
    }
    var identityMap = Self.identityMapAddress
    try request("KVM_SET_IDENTITY_MAP_ADDR") {
      unsafe clinux_ioctl_pointer(descriptor.raw, ckvm_set_identity_map_addr, &identityMap)
    }
    try request("KVM_SET_TSS_ADDR") {
      clinux_ioctl(descriptor.raw, ckvm_set_tss_addr, Self.taskStateAddress)
    }
    try request("KVM_CREATE_IRQCHIP") { clinux_ioctl(descriptor.raw, ckvm_create_irqchip, 0) }
  }

  /// Makes every region of `memory` guest RAM. `memory` must outlive the machine.
  ///
  /// - Parameters:
  ///   - first: KVM's number of the first region.
  ///   - isReadOnly: what the guest writes there comes to us, as if there were no RAM.
  public func map(_ memory: GuestMemory, from first: Int = 0, isReadOnly: Bool = false) throws(KVMError) {
    for (slot, region) in memory.regions.enumerated() {
      var description = kvm_userspace_memory_region()
      description.slot = UInt32(first + slot)
      description.flags = isReadOnly ? ckvm_memory_read_only : 0
      description.guest_phys_addr = region.base
      description.memory_size = UInt64(region.count)
      description.userspace_addr = UInt64(UInt(bitPattern: unsafe region.hostAddress))
      try request("KVM_SET_USER_MEMORY_REGION") {
        unsafe clinux_ioctl_pointer(descriptor.raw, ckvm_set_user_memory_region, &description)
      }
    }
  }

  /// Makes each signal of `event` an edge on an input of the I/O APIC (KVM_IRQFD).
  public func connect(_ event: EventFD, toInterrupt line: UInt32) throws(KVMError) {
    var description = kvm_irqfd()
    description.fd = UInt32(event.raw)
    description.gsi = line
    try request("KVM_IRQFD") { unsafe clinux_ioctl_pointer(descriptor.raw, ckvm_irqfd, &description) }
  }

  /// Makes a guest's 32-bit write of `value` at `address` signal `event`, with no exit to us (KVM_IOEVENTFD).
  public func connect(writeOf value: UInt32, at address: GuestAddress, to event: EventFD) throws(KVMError) {
    var description = kvm_ioeventfd()
    description.datamatch = UInt64(value)
    description.addr = address
    description.len = 4
    description.fd = event.raw
    description.flags = 1 << UInt32(kvm_ioeventfd_flag_nr_datamatch)
    try request("KVM_IOEVENTFD") { unsafe clinux_ioctl_pointer(descriptor.raw, ckvm_ioeventfd, &description) }
  }
}
