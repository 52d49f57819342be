import CKVM

// The kernel's structures as rows of numbers, and back. What does not fit is refused.

extension kvm_regs {
  static let wordCount = 18

  var words: [UInt64] {
    [rax, rbx, rcx, rdx, rsi, rdi, rsp, rbp, r8, r9, r10, r11, r12, r13, r14, r15, rip, rflags]
  }

  /// - Parameter words: as many as `wordCount`.
  init(_ words: [UInt64]) {
    self.init()
    (rax, rbx, rcx, rdx) = (words[0], words[1], words[2], words[3])
    (rsi, rdi, rsp, rbp) = (words[4], words[5], words[6], words[7])
    (r8, r9, r10, r11) = (words[8], words[9], words[10], words[11])
    (r12, r13, r14, r15) = (words[12], words[13], words[14], words[15])
    (rip, rflags) = (words[16], words[17])
  }
}

extension LocalAPIC {
  init(_ state: kvm_lapic_state) {
    // Safe: the registers are bytes, as many as this has.
    self = LocalAPIC(unsafe withUnsafeBytes(of: state.regs) { unsafe [UInt8]($0) }) ?? LocalAPIC()
  }
}

extension kvm_lapic_state {
  init(_ apic: LocalAPIC) {
    self.init()
    // Safe: as above.
    unsafe withUnsafeMutableBytes(of: &regs) { unsafe $0.copyBytes(from: apic.bytes) }
  }
}

extension kvm_segment {
  static let wordCount = 4

  /// Base, limit, selector, and access rights as VT-x lays them out (Intel SDM volume 3, table 25-2).
  var words: [UInt64] {
    let low = UInt64(type & 0xf) | UInt64(s & 1) << 4 | UInt64(dpl & 3) << 5 | UInt64(present & 1) << 7
    let high = UInt64(avl & 1) << 12 | UInt64(l & 1) << 13 | UInt64(db & 1) << 14 | UInt64(g & 1) << 15
    return [base, UInt64(limit), UInt64(selector), low | high | UInt64(unusable & 1) << 16]
  }

  init?(_ words: ArraySlice<UInt64>) {
    let words = Array(words)
    self.init()
    guard let limit = UInt32(exactly: words[1]), let selector = UInt16(exactly: words[2]), words[3] & ~0x1_f0ff == 0
    else { return nil }
    base = words[0]
    self.limit = limit
    self.selector = selector
    func bits(_ shift: UInt64, _ mask: UInt64 = 1) -> UInt8 { UInt8(words[3] >> shift & mask) }
    type = bits(0, 0xf)
    s = bits(4)
    dpl = bits(5, 3)
    present = bits(7)
    avl = bits(12)
    l = bits(13)
    db = bits(14)
    g = bits(15)
    unusable = bits(16)
  }
}

extension kvm_sregs {
  var segments: [kvm_segment] { [cs, ds, es, fs, gs, ss, tr, ldt] }

  /// - Parameter words: of all eight.
  mutating func setSegments(_ words: [UInt64]) -> Bool {
    var segments: [kvm_segment] = []
    for index in 0..<8 {
      let place = index * kvm_segment.wordCount
      guard let segment = kvm_segment(words[place..<(place + kvm_segment.wordCount)]) else { return false }
      segments.append(segment)
    }
    (cs, ds, es, fs) = (segments[0], segments[1], segments[2], segments[3])
    (gs, ss, tr, ldt) = (segments[4], segments[5], segments[6], segments[7])
    return true
  }

  /// - Parameter words: base and limit of the GDT, and of the IDT.
  mutating func setTables(_ words: [UInt64]) -> Bool {
    guard let gdtLimit = UInt16(exactly: words[1]), let idtLimit = UInt16(exactly: words[3]) else { return false }
    gdt.base = words[0]
    gdt.limit = gdtLimit
    idt.base = words[2]
    idt.limit = idtLimit
    return true
  }

  /// - Parameter words: CR0, CR2, CR3, CR4, CR8, EFER, IA32_APIC_BASE.
  mutating func setControl(_ words: [UInt64]) {
    (cr0, cr2, cr3, cr4) = (words[0], words[1], words[2], words[3])
    (cr8, efer, apic_base) = (words[4], words[5], words[6])
  }
}

extension kvm_vcpu_events {
  static let wordCount = 20
  /// KVM_VCPUEVENT_VALID_NMI_PENDING, _SHADOW, _SMM: what KVM tells without being asked for more.
  private static let knownFlags: UInt32 = 1 | 4 | 8

  var words: [UInt64] {
    let exceptionBytes = [exception.injected, exception.nr, exception.has_error_code, exception.pending]
    let interruptBytes = [interrupt.injected, interrupt.nr, interrupt.soft, interrupt.shadow]
    let others = [nmi.injected, nmi.pending, nmi.masked]
    let management = [smi.smm, smi.pending, smi.smm_inside_nmi, smi.latched_init]
    return exceptionBytes.map { UInt64($0) } + [UInt64(exception.error_code)] + interruptBytes.map { UInt64($0) }
      + others.map { UInt64($0) } + [UInt64(sipi_vector), UInt64(flags & Self.knownFlags)]
      + management.map { UInt64($0) } + [UInt64(exception_has_payload), exception_payload]
  }

  /// - Parameter words: as many as `wordCount`.
  init?(_ words: [UInt64]) {
    self.init()
    for (index, word) in words.enumerated() where index != 4 && index != 12 && index != 19 {
      guard word <= 0xff else { return nil }
    }
    guard let errorCode = UInt32(exactly: words[4]), let vector = UInt32(exactly: words[12]),
      words[13] & ~UInt64(Self.knownFlags) == 0
    else { return nil }
    func byte(_ index: Int) -> UInt8 { UInt8(truncatingIfNeeded: words[index]) }
    (exception.injected, exception.nr) = (byte(0), byte(1))
    (exception.has_error_code, exception.pending) = (byte(2), byte(3))
    exception.error_code = errorCode
    (interrupt.injected, interrupt.nr, interrupt.soft, interrupt.shadow) = (byte(5), byte(6), byte(7), byte(8))
    (nmi.injected, nmi.pending, nmi.masked) = (byte(9), byte(10), byte(11))
    sipi_vector = vector
    flags = UInt32(words[13])
    (smi.smm, smi.pending, smi.smm_inside_nmi, smi.latched_init) = (byte(14), byte(15), byte(16), byte(17))
    exception_has_payload = byte(18)
    exception_payload = words[19]
  }
}
