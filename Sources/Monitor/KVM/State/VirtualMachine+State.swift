import CKVM
import CLinux
import Host

extension VirtualMachine {
  /// KVM_IRQCHIP_PIC_MASTER and _SLAVE, and _IOAPIC.
  private static let controllers: [UInt32] = [0, 1]
  private static let ioapic: UInt32 = 2

  /// No vCPU runs.
  package func savedChips() throws(KVMError) -> ChipState {
    var state = ChipState()
    for (index, number) in Self.controllers.enumerated() {
      state.controllers[index] = unsafe try chip(number).chip.pic.bytes
    }
    var ioapic = try chip(Self.ioapic)
    let registers = unsafe ioapic.chip.ioapic
    state.ioapic = [UInt64(registers.ioregsel), UInt64(registers.id), UInt64(registers.irr)]
    for input in 0..<UInt32(KVM_IOAPIC_NUM_PINS) { state.ioapic.append(unsafe ckvm_ioapic_entry(&ioapic, input)) }
    var clock = kvm_clock_data()
    try request("KVM_GET_CLOCK") { unsafe clinux_ioctl_pointer(descriptor.raw, ckvm_get_clock, &clock) }
    state.clock = clock.clock
    return state
  }

  /// After the vCPUs: what an input still has to tell goes to their APICs at once.
  package func restore(_ state: ChipState) throws(KVMError) {
    for (index, number) in Self.controllers.enumerated() {
      var controller = try chip(number)
      unsafe controller.chip.pic = kvm_pic_state(state.controllers[index])
      try set(&controller)
    }
    // Where it lies stays as it is in this machine.
    var ioapic = try chip(Self.ioapic)
    unsafe ioapic.chip.ioapic.ioregsel = UInt32(truncatingIfNeeded: state.ioapic[0])
    unsafe ioapic.chip.ioapic.id = UInt32(truncatingIfNeeded: state.ioapic[1])
    unsafe ioapic.chip.ioapic.irr = UInt32(truncatingIfNeeded: state.ioapic[2])
    for input in 0..<UInt32(KVM_IOAPIC_NUM_PINS) {
      unsafe ckvm_set_ioapic_entry(&ioapic, input, state.ioapic[3 + Int(input)])
    }
    try set(&ioapic)
  }

  /// The last of all: from here on it goes. It goes on from where it stood, as the vCPUs' counters do: the guest has not been away.
  package func restoreClock(_ state: ChipState) throws(KVMError) {
    var clock = kvm_clock_data()
    clock.clock = state.clock
    try request("KVM_SET_CLOCK") { unsafe clinux_ioctl_pointer(descriptor.raw, ckvm_set_clock, &clock) }
  }

  private func chip(_ number: UInt32) throws(KVMError) -> kvm_irqchip {
    var chip = kvm_irqchip()
    chip.chip_id = number
    try request("KVM_GET_IRQCHIP") { unsafe clinux_ioctl_pointer(descriptor.raw, ckvm_get_irqchip, &chip) }
    return chip
  }

  private func set(_ chip: inout kvm_irqchip) throws(KVMError) {
    try request("KVM_SET_IRQCHIP") { unsafe clinux_ioctl_pointer(descriptor.raw, ckvm_set_irqchip, &chip) }
  }
}

extension kvm_pic_state {
  fileprivate var bytes: [UInt8] {
    [
      last_irr, irr, imr, isr, priority_add, irq_base, read_reg_select, poll, special_mask, init_state, auto_eoi,
      rotate_on_auto_eoi, special_fully_nested_mode, init4, elcr, elcr_mask,
    ]
  }

  /// - Parameter bytes: 16.
  fileprivate init(_ bytes: [UInt8]) {
    self.init()
    (last_irr, irr, imr, isr) = (bytes[0], bytes[1], bytes[2], bytes[3])
    (priority_add, irq_base, read_reg_select, poll) = (bytes[4], bytes[5], bytes[6], bytes[7])
    (special_mask, init_state, auto_eoi, rotate_on_auto_eoi) = (bytes[8], bytes[9], bytes[10], bytes[11])
    (special_fully_nested_mode, init4, elcr, elcr_mask) = (bytes[12], bytes[13], bytes[14], bytes[15])
  }
}
