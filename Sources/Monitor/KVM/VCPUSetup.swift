import Boot
import CKVM

extension VCPU {
  /// Gives the processor its features, its place in the topology and its model-specific registers.
  ///
  /// - Parameter topology: of the machine.
  package func prepare(in topology: ProcessorTopology) throws(KVMError) {
    let cpuid = try system.supportedCPUID()
    try setCPUID(cpuid.forVCPU(index, of: topology, hasTSCDeadline: system.hasTSCDeadline))
    // What firmware leaves behind (Intel SDM vol. 4): fast strings on; every range of memory write-back unless said
    // otherwise, with the fixed ranges off.
    try setMSR(0x1a0, 1)  // IA32_MISC_ENABLE
    try setMSR(0x2ff, 1 << 11 | 6)  // IA32_MTRR_DEF_TYPE
    try setNMI()
  }

  /// Lets LINT1 carry NMIs, as firmware does (Intel SDM vol. 3A, 11.5.1). LINT0 stays masked: no 8259 is wired to it.
  private func setNMI() throws(KVMError) {
    let deliverNMI: UInt32 = 4 << 8
    var state = kvm_lapic_state()
    try getLAPIC(&state)
    unsafe ckvm_lapic_set(&state, 0x360, deliverNMI)
    try setLAPIC(&state)
  }

  /// Puts the processor where a boot protocol wants it. The others wait for the guest's INIT and SIPI.
  package func enter(_ entry: EntryState) throws(KVMError) {
    var special = try specialRegisters()
    special.cr0 = entry.cr0
    special.cr3 = entry.cr3
    special.cr4 = entry.cr4
    special.efer = entry.efer
    special.cs = kvm_segment(entry.code)
    let data = kvm_segment(entry.data)
    special.ds = data
    special.es = data
    special.fs = data
    special.gs = data
    special.ss = data
    special.tr = kvm_segment(entry.task)
    special.gdt.base = entry.gdtBase
    special.gdt.limit = entry.gdtLimit
    special.idt.base = 0
    special.idt.limit = 0
    try setSpecialRegisters(special)
    var registers = kvm_regs()
    registers.rip = entry.instructionPointer
    registers.rsi = entry.rsi
    registers.rbx = entry.rbx
    registers.rflags = entry.rflags
    try setRegisters(registers)
  }
}

extension kvm_segment {
  fileprivate init(_ descriptor: SegmentDescriptor) {
    self.init()
    selector = descriptor.selector
    base = UInt64(descriptor.base)
    limit = descriptor.limit
    type = descriptor.type
    s = descriptor.isCodeOrData ? 1 : 0
    l = descriptor.isLong ? 1 : 0
    db = descriptor.is32Bit ? 1 : 0
    g = descriptor.isPageGranular ? 1 : 0
    present = 1
  }
}
