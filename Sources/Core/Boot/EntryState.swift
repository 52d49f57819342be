/// What the first processor's registers must hold when it enters the kernel; all that is not named is zero.
///
/// Interrupts are off (RFLAGS has only its fixed bit), the IDT is empty, the local descriptor table unusable.
package struct EntryState: Equatable {
  package var instructionPointer: UInt64
  package var rsi: UInt64 = 0
  package var rbx: UInt64 = 0
  package var rflags: UInt64 = 2
  package var cr0: UInt64
  package var cr3: UInt64 = 0
  package var cr4: UInt64 = 0
  package var efer: UInt64 = 0
  package var code: SegmentDescriptor
  /// For DS, ES, FS, GS and SS.
  package var data = SegmentDescriptor.data
  package var task = SegmentDescriptor.task
  package var gdtBase = LowMemory.gdt
  package var gdtLimit = UInt16(GlobalDescriptorTable.size - 1)

  private static let protectedMode: UInt64 = 0x11  // CR0.PE, and ET, which is always set
  private static let paging: UInt64 = 1 << 31  // CR0.PG
  private static let physicalAddressExtension: UInt64 = 1 << 5  // CR4.PAE
  private static let longMode: UInt64 = 1 << 8 | 1 << 10  // EFER.LME, EFER.LMA

  /// Linux's 64-bit boot protocol (boot.rst, "64-bit Boot Protocol"): RSI points to the boot parameters.
  package static func linux64(entry: UInt64) -> Self {
    Self(
      instructionPointer: entry, rsi: LowMemory.bootParameters, cr0: protectedMode | paging, cr3: LowMemory.pageTables,
      cr4: physicalAddressExtension, efer: longMode, code: .code64)
  }

  /// Linux's 32-bit boot protocol (boot.rst, "32-bit Boot Protocol"): ESI points to the boot parameters; EBP, EDI and
  /// EBX are zero.
  package static func linux32(entry: UInt32) -> Self {
    Self(instructionPointer: UInt64(entry), rsi: LowMemory.bootParameters, cr0: protectedMode, code: .code32)
  }

  /// PVH (Xen, docs/misc/pvh.pandoc): EBX points to the start info; CR4 is zero.
  package static func pvh(entry: UInt32) -> Self {
    Self(instructionPointer: UInt64(entry), rbx: LowMemory.startInfo, cr0: protectedMode, code: .code32)
  }
}
