import CKVM

/// What a machine asks of KVM while it runs, as numbers of ioctl(2).
package enum KVMRequests {
  package static var running: [UInt32] {
    // The most common one first: they are compared in this order.
    [
      ckvm_run, ckvm_irq_line, ckvm_signal_msi, ckvm_kvmclock_ctrl, ckvm_get_regs, ckvm_get_sregs,
    ].map { UInt32(truncatingIfNeeded: $0) }
  }

  /// What a machine's state is read by. One changes something: KVM_GET_MP_STATE has a local APIC take what it has under way, as it
  /// would when its processor next runs (`VCPU.saved`).
  package static var saving: [UInt32] {
    [
      ckvm_get_mp_state, ckvm_get_xsave, ckvm_get_xsave2, ckvm_get_xcrs, ckvm_get_debugregs, ckvm_get_msrs,
      ckvm_get_lapic, ckvm_get_vcpu_events, ckvm_get_tsc_khz, ckvm_get_device_attr, ckvm_get_irqchip, ckvm_get_clock,
    ].map { UInt32(truncatingIfNeeded: $0) }
  }

  /// Where the guest moves what is on a bus.
  package static var onBus: [UInt32] {
    [ckvm_ioeventfd, ckvm_set_user_memory_region].map { UInt32(truncatingIfNeeded: $0) }
  }
}
