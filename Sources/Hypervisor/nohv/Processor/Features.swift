import CMachine

/// What the processors have, as the first one says.
enum Features {
  nonisolated(unsafe) private(set) static var xsave = false
  nonisolated(unsafe) private(set) static var svm = false
  nonisolated(unsafe) private(set) static var hugePages = false
  nonisolated(unsafe) private(set) static var deadlineTimer = false
  nonisolated(unsafe) private(set) static var extendedControl: UInt64 = 3
  nonisolated(unsafe) private(set) static var physicalBits: UInt64 = 36
  /// Address space identifiers for guests.
  nonisolated(unsafe) private(set) static var guests: UInt32 = 2

  static func find() {
    let basic = m_cpuid(1, 0)
    let extended = m_cpuid(0x8000_0001, 0)
    unsafe hugePages = extended.edx & 1 << 26 != 0
    unsafe deadlineTimer = basic.ecx & 1 << 24 != 0
    unsafe physicalBits = UInt64(max(min(m_cpuid(0x8000_0008, 0).eax & 0xff, 48), 36))
    if basic.ecx & 1 << 26 != 0 {
      unsafe xsave = true
      unsafe extendedControl = UInt64(m_cpuid(0xd, 0).eax) & 7 | 3
    }
    guard extended.ecx & 1 << 2 != 0 else { return }
    let virtual = m_cpuid(0x8000_000a, 0)
    // Nested paging; and firmware may have locked all of it (AMD APM 2, 15.4).
    if virtual.edx & 1 != 0, m_rdmsr(Register.virtualizationControl) & 0x10 == 0 {
      unsafe svm = true
      unsafe guests = max(virtual.ebx, 2)
    }
  }

  /// On each processor.
  static func enable() {
    let more = m_cpuid(7, 0)
    // PAE, PGE, OSFXSR, OSXMMEXCPT; SMEP and SMAP where there are: the kernel has no business in programs' memory.
    var cr4: UInt64 = 0x6a0
    if more.ebx & 1 << 7 != 0 { cr4 |= 1 << 20 }
    if more.ebx & 1 << 20 != 0 { cr4 |= 1 << 21 }
    if unsafe xsave { cr4 |= 1 << 18 }
    m_set_cr4(cr4)
    if unsafe xsave { m_xsetbv(0, unsafe extendedControl) }
    // Entry 1 of the PAT is write-combining, the rest as at reset.
    m_wrmsr(Register.pat, 0x0007_0406_0007_0106)
    if unsafe svm { m_wrmsr(Register.efer, m_rdmsr(Register.efer) | 1 << 12) }
    m_set_cr0(m_cr0() | 1 << 3)
  }
}
