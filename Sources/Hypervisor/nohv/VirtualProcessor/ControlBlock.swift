import CMachine

/// A VMCB (AMD APM 2, appendix B): a frame that VMRUN works on. Offsets of fields, in bytes.
@safe struct ControlBlock {
  /// The kernel's address.
  let address: UInt64

  enum Offset {
    /// Intercepts of reads of debug registers (bits 15:0) and of writes to them (31:16); of exceptions.
    static let debugIntercepts: UInt64 = 0x04
    static let exceptions: UInt64 = 0x08
    /// Intercepts: words 3 and 4, which a monitor chooses of.
    static let intercepts: UInt64 = 0x0c
    static let intercepts2: UInt64 = 0x10
    static let portMap: UInt64 = 0x40
    static let registerMap: UInt64 = 0x48
    static let timeOffset: UInt64 = 0x50
    static let identifier: UInt64 = 0x58
    static let flush: UInt64 = 0x5c
    static let interruptControl: UInt64 = 0x60
    static let interruptShadow: UInt64 = 0x68
    static let exitCode: UInt64 = 0x70
    static let exitInformation: UInt64 = 0x78
    static let exitInformation2: UInt64 = 0x80
    static let exitEvent: UInt64 = 0x88
    static let nested: UInt64 = 0x90
    static let event: UInt64 = 0xa8
    static let nestedTable: UInt64 = 0xb0
    static let nextRIP: UInt64 = 0xc8
    static let es: UInt64 = 0x400
    static let gdtr: UInt64 = 0x460
    static let ldtr: UInt64 = 0x470
    static let idtr: UInt64 = 0x480
    static let tr: UInt64 = 0x490
    static let privilege: UInt64 = 0x4c8
    static let efer: UInt64 = 0x4d0
    static let cr4: UInt64 = 0x548
    static let cr3: UInt64 = 0x550
    static let cr0: UInt64 = 0x558
    static let dr7: UInt64 = 0x560
    static let dr6: UInt64 = 0x568
    static let rflags: UInt64 = 0x570
    static let rip: UInt64 = 0x578
    static let rsp: UInt64 = 0x5d8
    static let rax: UInt64 = 0x5f8
    static let star: UInt64 = 0x600
    static let sysenterCS: UInt64 = 0x628
    static let cr2: UInt64 = 0x640
    static let pat: UInt64 = 0x668
  }

  private func place<T>(_ offset: UInt64, _: T.Type = T.self) -> UnsafeMutablePointer<T> {
    unsafe UnsafeMutablePointer(bitPattern: UInt(address &+ (offset & 0xfff))).unsafelyUnwrapped
  }

  @inline(__always) subscript(_ offset: UInt64) -> UInt64 {
    get { unsafe place(offset).pointee }
    nonmutating set { unsafe place(offset).pointee = newValue }
  }

  @inline(__always) subscript(half offset: UInt64) -> UInt32 {
    get { unsafe place(offset).pointee }
    nonmutating set { unsafe place(offset).pointee = newValue }
  }
}
