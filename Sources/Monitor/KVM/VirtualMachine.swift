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
  /// The model-specific registers that make up a vCPU's state on this host, by rising numbers.
  let msrs: [UInt32]
  /// Bytes of a vCPU's extended registers, if they are more than 4096.
  let extendedSize: Int

  /// Makes an empty machine with an in-kernel interrupt controller and no timer chip.
  public init(_ system: KVMSystem) throws(KVMError) {
    self.system = system
    msrs = try system.savedMSRs()
    extendedSize = Int(system.check(extension: KVM_CAP_XSAVE2))
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

  /// Makes a piece of memory guest RAM. It must outlive the machine, or be unmapped before.
  ///
  /// - Parameters:
  ///   - slot: KVM's number of the piece.
  ///   - address: where the guest finds it, if not at the region's own place. What was mapped by this number moves there.
  ///   - isReadOnly: what the guest writes there comes to us, as if there were no RAM.
  public func map(
    _ region: GuestMemory.Region, slot: Int, at address: GuestAddress? = nil, isReadOnly: Bool = false
  ) throws(KVMError) {
    var description = kvm_userspace_memory_region()
    description.slot = UInt32(slot)
    description.flags = isReadOnly ? ckvm_memory_read_only : 0
    description.guest_phys_addr = address ?? region.base
    description.memory_size = UInt64(region.count)
    description.userspace_addr = UInt64(UInt(bitPattern: unsafe region.hostAddress))
    try request("KVM_SET_USER_MEMORY_REGION") {
      unsafe clinux_ioctl_pointer(descriptor.raw, ckvm_set_user_memory_region, &description)
    }
  }

  /// Takes a piece of memory from the guest.
  public func unmap(slot: Int) throws(KVMError) {
    var description = kvm_userspace_memory_region()
    description.slot = UInt32(slot)
    try request("KVM_SET_USER_MEMORY_REGION") {
      unsafe clinux_ioctl_pointer(descriptor.raw, ckvm_set_user_memory_region, &description)
    }
  }

  /// Raises an input of the interrupt controllers and lowers it again (KVM_IRQ_LINE): an edge. One thread at a time for each
  /// input.
  public func pulse(_ line: UInt32) {
    var level = kvm_irq_level()
    level.irq = line
    // It fails only where there is no controller.
    for value: UInt32 in [1, 0] {
      level.level = value
      _ = unsafe clinux_ioctl_pointer(descriptor.raw, ckvm_irq_line, &level)
    }
  }

  /// Sends the guest an interrupt as a message (KVM_SIGNAL_MSI), from any thread. The processor to which it goes, the vector
  /// and how it is delivered are in the message.
  ///
  /// - Returns: false if no processor took it.
  @discardableResult
  public func signal(messageTo address: UInt64, data: UInt32) -> Bool {
    var message = kvm_msi()
    message.address_lo = UInt32(truncatingIfNeeded: address)
    message.address_hi = UInt32(truncatingIfNeeded: address >> 32)
    message.data = data
    return unsafe clinux_ioctl_pointer(descriptor.raw, ckvm_signal_msi, &message) > 0
  }

  /// Makes a guest's 32-bit write of `value` at `address` signal `event`, with no exit to us (KVM_IOEVENTFD).
  public func connect(writeOf value: UInt32, at address: GuestAddress, to event: EventFD) throws(KVMError) {
    var description = kvm_ioeventfd()
    description.datamatch = UInt64(value)
    description.addr = address
    description.len = 4
    description.fd = event.raw
    description.flags = 1 << UInt32(kvm_ioeventfd_flag_nr_datamatch)
    try set(&description)
  }

  /// Makes a guest's write of anything at `address` signal `event`, with no exit to us. Some processors do not even look at
  /// the instruction for that.
  public func connect(writesAt address: GuestAddress, to event: EventFD) throws(KVMError) {
    var description = kvm_ioeventfd()
    description.addr = address
    description.fd = event.raw
    try set(&description)
  }

  /// Undoes `connect(writesAt:to:)`.
  public func disconnect(writesAt address: GuestAddress, from event: EventFD) throws(KVMError) {
    var description = kvm_ioeventfd()
    description.addr = address
    description.fd = event.raw
    description.flags = 1 << UInt32(kvm_ioeventfd_flag_nr_deassign)
    try set(&description)
  }

  private func set(_ description: inout kvm_ioeventfd) throws(KVMError) {
    try request("KVM_IOEVENTFD") { unsafe clinux_ioctl_pointer(descriptor.raw, ckvm_ioeventfd, &description) }
  }
}
