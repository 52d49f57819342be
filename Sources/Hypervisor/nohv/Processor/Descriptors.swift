import CMachine

/// Segments, the task state and the interrupt table (Intel SDM 3, 3.4, 6.10, 7.7).
enum Descriptors {
  static let kernelCode: UInt16 = 0x08
  static let userData: UInt64 = 0x1b
  static let userCode: UInt64 = 0x23
  private static let task: UInt16 = 0x28
  nonisolated(unsafe) private static var interrupts = InlineArray<512, UInt64>(repeating: 0)

  /// Once, before the first processor loads it. NMI, double fault and machine check have a stack of their own.
  static func fill() {
    for vector in 0..<256 {
      let entry = m_stub_address() &+ UInt64(vector) &* 16
      let stack: UInt64 = vector == 2 || vector == 8 || vector == 18 ? 1 : 0
      // An interrupt gate of ring 0; none may be called by INT but 3 and 4.
      let privilege: UInt64 = vector == 3 || vector == 4 ? 3 : 0
      unsafe interrupts[vector * 2] =
        entry & 0xffff | UInt64(kernelCode) << 16 | stack << 32 | (0x8e | privilege << 5) << 40
        | (entry >> 16 & 0xffff) << 48
      unsafe interrupts[vector * 2 + 1] = entry >> 32
    }
  }

  static func load(_ block: UnsafeMutablePointer<m_processor>, stack: UInt64, faults: UInt64) {
    let address = UInt64(UInt(bitPattern: block))
    unsafe block.pointee.`self` = address
    unsafe block.pointee.stack = stack
    unsafe m_set_fault_stack(block, faults)
    unsafe m_set_ports(block, UInt32(MemoryLayout<m_tss>.size))
    let tss = address &+ m_tss_offset()
    let limit = UInt64(MemoryLayout<m_tss>.size - 1)
    unsafe block.pointee.gdt = (
      0, 0x00af_9b00_0000_ffff, 0x00cf_9300_0000_ffff, 0x00cf_f300_0000_ffff, 0x00af_fb00_0000_ffff,
      limit & 0xffff | (tss & 0xff_ffff) << 16 | 0x89 << 40 | (tss >> 24 & 0xff) << 56, tss >> 32, 0
    )
    m_lgdt(address &+ m_gdt_offset(), 63)
    m_lidt(unsafe UInt64(UInt(bitPattern: withUnsafeMutablePointer(to: &interrupts) { unsafe $0 })), 4095)
    m_ltr(task)
    m_wrmsr(Register.gsBase, address)
    m_wrmsr(Register.kernelGSBase, 0)
    m_wrmsr(Register.star, 0x0010 << 48 | UInt64(kernelCode) << 32)
    m_wrmsr(Register.lstar, m_syscall_address())
    // Interrupts, traps, direction, nested task, alignment checks: off on entry.
    m_wrmsr(Register.sfmask, 0x4_4700)
  }
}

/// Model-specific registers.
enum Register {
  static let apicBase: UInt32 = 0x1b
  static let tscDeadline: UInt32 = 0x6e0
  static let pat: UInt32 = 0x277
  static let efer: UInt32 = 0xc000_0080
  static let star: UInt32 = 0xc000_0081
  static let lstar: UInt32 = 0xc000_0082
  static let sfmask: UInt32 = 0xc000_0084
  static let gsBase: UInt32 = 0xc000_0101
  static let kernelGSBase: UInt32 = 0xc000_0102
  static let timeStampAux: UInt32 = 0xc000_0103
  static let virtualizationControl: UInt32 = 0xc001_0114
  static let hostSave: UInt32 = 0xc001_0117
}
