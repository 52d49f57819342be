import CKVM
import CLinux
import Host

/// Reading a vCPU's state and giving it to another one. Its thread stands still, between two entries into the guest.
extension VCPU {
  private static let timeStampCounter: UInt32 = 0x10
  private static let deadline: UInt32 = 0x6e0
  private static let capabilities: UInt32 = 0x10a  // IA32_ARCH_CAPABILITIES

  /// The order matters: KVM_GET_MP_STATE moves what an APIC has under way; the APIC's requests come after its deadline, so that a
  /// timer that ends meanwhile is in one of them, perhaps in both.
  package func saved() throws(KVMError) -> VCPUState {
    var state = VCPUState()
    state.cpuid = cpuid
    var mpState = kvm_mp_state()
    try request("KVM_GET_MP_STATE") { unsafe clinux_ioctl_pointer(descriptor.raw, ckvm_get_mp_state, &mpState) }
    state.mpState = mpState.mp_state
    state.general = try registers()
    state.special = try specialRegisters()
    state.extended = try extendedRegisters()
    state.extendedControl = try extendedControl()
    try request("KVM_GET_DEBUGREGS") { unsafe clinux_ioctl_pointer(descriptor.raw, ckvm_get_debugregs, &state.debug) }
    for index in machine.msrs {
      if let value = msr(index) { state.msrs.append(VCPUState.MSR(index: index, value: value)) }
    }
    var apic = kvm_lapic_state()
    try getLAPIC(&apic)
    state.apic = LocalAPIC(apic)
    state.apic.requestEndedTimer()
    try request("KVM_GET_VCPU_EVENTS") {
      unsafe clinux_ioctl_pointer(descriptor.raw, ckvm_get_vcpu_events, &state.events)
    }
    state.tscKHz = UInt32(clamping: max(clinux_ioctl(descriptor.raw, ckvm_get_tsc_khz, 0), 0))
    state.tscOffset = tscOffset
    return state
  }

  /// Makes this vCPU, which has been prepared and has not run, what another one was.
  ///
  /// A wrong order succeeds, and loses a guest its timers: what an APIC is (IA32_APIC_BASE) comes before its registers, these
  /// before the deadline, and the counter before that.
  ///
  /// - Parameter ahead: how much its counter is ahead of that of `first`, the machine's first vCPU, which is restored already.
  package func restore(_ state: VCPUState, ahead: UInt64?, of first: VCPU?) throws(KVMError) {
    if let leaf = state.cpuid.leaf(beyond: cpuid) { throw .processor(leaf: leaf) }
    try setCPUID(state.cpuid)
    try setFrequency(state.tscKHz)
    try setRegisters(state.general)
    try setSpecialRegisters(state.special)
    var mpState = kvm_mp_state(mp_state: state.mpState)
    try request("KVM_SET_MP_STATE") { unsafe clinux_ioctl_pointer(descriptor.raw, ckvm_set_mp_state, &mpState) }
    try setExtended(state)
    var debug = state.debug
    try request("KVM_SET_DEBUGREGS") { unsafe clinux_ioctl_pointer(descriptor.raw, ckvm_set_debugregs, &debug) }
    var apic = kvm_lapic_state(state.apic)
    try setLAPIC(&apic)
    try setMSRs(state.msrs, ahead: ahead, of: first)
    var events = state.events
    try request("KVM_SET_VCPU_EVENTS") { unsafe clinux_ioctl_pointer(descriptor.raw, ckvm_set_vcpu_events, &events) }
  }

  // MARK: Model-specific registers

  private func setMSRs(_ msrs: [VCPUState.MSR], ahead: UInt64?, of first: VCPU?) throws(KVMError) {
    for msr in msrs where !machine.msrs.contains(msr.index) { throw .foreignMSR(msr.index) }
    // KVM takes whatever is set, but a guest that believes itself safe from something does nothing against it.
    if let told = msrs.first(where: { $0.index == Self.capabilities }),
      !Self.has(capabilities: told.value, self.msr(told.index) ?? 0)
    {
      throw .foreignMSR(told.index)
    }
    if let counter = msrs.first(where: { $0.index == Self.timeStampCounter }) {
      try setMSR(counter.index, counter.value)
      // KVM takes counters that are set within a second for the same; where one was ahead it goes on to be.
      if let ahead, let base = first?.tscOffset, let own = tscOffset, own != base &+ ahead {
        try setTSCOffset(base &+ ahead)
      }
    }
    for msr in msrs where msr.index != Self.timeStampCounter && msr.index != Self.deadline {
      // Of some nothing but what they are can be written.
      if self.msr(msr.index) != msr.value { try setMSR(msr.index, msr.value) }
    }
    if let deadline = msrs.first(where: { $0.index == Self.deadline }), deadline.value != 0 {
      try setMSR(deadline.index, deadline.value)
    }
  }

  /// Whether a processor whose IA32_ARCH_CAPABILITIES is `own` has all that another's says.
  static func has(capabilities: UInt64, _ own: UInt64) -> Bool {
    // RSBA and RRSBA tell of what is amiss.
    capabilities & ~own & ~(1 << 2 | 1 << 19) == 0
  }

  /// nil for one that this vCPU does not have.
  private func msr(_ index: UInt32) -> UInt64? {
    var msr = ckvm_msr()
    msr.nmsrs = 1
    msr.entry.index = index
    guard unsafe clinux_ioctl_pointer(descriptor.raw, ckvm_get_msrs, &msr) == 1 else { return nil }
    return msr.entry.data
  }

  // MARK: The counter

  private func setFrequency(_ kHz: UInt32) throws(KVMError) {
    guard kHz != 0, clinux_ioctl(descriptor.raw, ckvm_get_tsc_khz, 0) != Int32(clamping: kHz) else { return }
    try request("KVM_SET_TSC_KHZ") { clinux_ioctl(descriptor.raw, ckvm_set_tsc_khz, UInt(kHz)) }
  }

  private var tscOffset: UInt64? {
    var offset: UInt64 = 0
    let result = unsafe withUnsafeMutablePointer(to: &offset) {
      var attribute = unsafe ckvm_tsc_offset($0)
      return unsafe clinux_ioctl_pointer(descriptor.raw, ckvm_get_device_attr, &attribute)
    }
    return result == 0 ? offset : nil
  }

  private func setTSCOffset(_ offset: UInt64) throws(KVMError) {
    var offset = offset
    try request("KVM_VCPU_TSC_OFFSET") {
      unsafe withUnsafeMutablePointer(to: &offset) {
        var attribute = unsafe ckvm_tsc_offset($0)
        return unsafe clinux_ioctl_pointer(descriptor.raw, ckvm_set_device_attr, &attribute)
      }
    }
  }

  // MARK: Extended registers

  private func extendedRegisters() throws(KVMError) -> [UInt8] {
    let size = machine.extendedSize
    if size > 4096 { return try bytes("KVM_GET_XSAVE2", ckvm_get_xsave2, count: size) }
    return try bytes("KVM_GET_XSAVE", ckvm_get_xsave, count: 4096)
  }

  private func extendedControl() throws(KVMError) -> UInt64? {
    var registers = kvm_xcrs()
    try request("KVM_GET_XCRS") { unsafe clinux_ioctl_pointer(descriptor.raw, ckvm_get_xcrs, &registers) }
    return registers.nr_xcrs > 0 ? registers.xcrs.0.value : nil
  }

  private func setExtended(_ state: VCPUState) throws(KVMError) {
    if let value = state.extendedControl {
      var registers = kvm_xcrs()
      registers.nr_xcrs = 1
      registers.xcrs.0.value = value
      try request("KVM_SET_XCRS") { unsafe clinux_ioctl_pointer(descriptor.raw, ckvm_set_xcrs, &registers) }
    }
    // KVM reads as many as this host's processors have; a larger area has what they do not.
    let size = max(machine.extendedSize, 4096)
    guard state.extended.count <= size else { throw .processor(leaf: 0xd) }
    let padding = [UInt8](repeating: 0, count: size - state.extended.count)
    try set("KVM_SET_XSAVE", ckvm_set_xsave, state.extended + padding)
  }

  // MARK: Requests of any size

  private func bytes(_ name: String, _ number: UInt, count: Int) throws(KVMError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    try request(name) {
      unsafe bytes.withUnsafeMutableBytes { unsafe clinux_ioctl_pointer(descriptor.raw, number, $0.baseAddress) }
    }
    return bytes
  }

  private func set(_ name: String, _ number: UInt, _ bytes: [UInt8]) throws(KVMError) {
    var bytes = bytes
    try request(name) {
      unsafe bytes.withUnsafeMutableBytes { unsafe clinux_ioctl_pointer(descriptor.raw, number, $0.baseAddress) }
    }
  }
}

extension [VCPU] {
  /// Makes these what others were, one for each.
  package func restore(_ states: [VCPUState]) throws(KVMError) {
    for (vcpu, state) in zip(self, states) {
      var ahead: UInt64?
      if let offset = state.tscOffset, let first = states[0].tscOffset { ahead = offset &- first }
      try vcpu.restore(state, ahead: ahead, of: vcpu === self[0] ? nil : self[0])
    }
  }
}
