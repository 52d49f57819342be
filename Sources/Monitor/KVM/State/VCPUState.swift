import CKVM
import LittleEndian
import State

/// What a virtual CPU is between two entries into the guest, as a section of a machine's state (docs/state-format.md).
///
/// Numbers of several words stand in the order of their fields in the kernel's structures, each as 64 bits.
package struct VCPUState {
  package static let tag = StateTag("vcpu")

  /// A model-specific register.
  struct MSR: Equatable {
    let index: UInt32
    let value: UInt64
  }

  /// What it was given, not what it reads just now: of some bits KVM keeps account itself.
  var cpuid = CPUID([])
  /// Of its counter; 0 where the host does not know.
  var tscKHz: UInt32 = 0
  /// What its counter is ahead of the host's, where the host tells (Linux 5.16).
  var tscOffset: UInt64?
  var mpState: UInt32 = 0
  var general = kvm_regs()
  var special = kvm_sregs()
  /// The XSAVE area in the processor's own layout (Intel SDM volume 1, 13.4).
  var extended: [UInt8] = []
  /// XCR0, where the processor has it.
  var extendedControl: UInt64?
  var debug = kvm_debugregs()
  /// By rising numbers.
  var msrs: [MSR] = []
  var apic = LocalAPIC()
  var events = kvm_vcpu_events()

  init() {}

  private enum Field {
    static let cpuid: UInt16 = 1
    static let tscKHz: UInt16 = 2
    static let tscOffset: UInt16 = 3
    static let mpState: UInt16 = 4
    static let general: UInt16 = 5
    static let segments: UInt16 = 6
    static let tables: UInt16 = 7
    static let control: UInt16 = 8
    static let interrupts: UInt16 = 9
    static let extended: UInt16 = 10
    static let extendedControl: UInt16 = 11
    static let debug: UInt16 = 12
    static let msrs: UInt16 = 13
    static let apic: UInt16 = 14
    static let events: UInt16 = 15
  }

  /// Bytes of an XSAVE area: no processor has more than the tiles of AMX make it.
  private static let extendedLimit = 64 << 10
  private static let msrSize = 12

  package func save() -> FieldWriter {
    var fields = FieldWriter()
    fields.put(Field.cpuid, cpuid.encoded)
    fields.put(Field.tscKHz, tscKHz)
    if let tscOffset { fields.put(Field.tscOffset, tscOffset, isRequired: false) }
    fields.put(Field.mpState, mpState)
    fields.put(Field.general, words: general.words)
    fields.put(Field.segments, words: special.segments.flatMap(\.words))
    fields.put(
      Field.tables,
      words: [special.gdt.base, UInt64(special.gdt.limit), special.idt.base, UInt64(special.idt.limit)])
    fields.put(
      Field.control,
      words: [
        special.cr0, special.cr2, special.cr3, special.cr4, special.cr8, special.efer, special.apic_base,
      ])
    let pending = special.interrupt_bitmap
    fields.put(Field.interrupts, words: [pending.0, pending.1, pending.2, pending.3])
    fields.put(Field.extended, extended)
    if let extendedControl { fields.put(Field.extendedControl, extendedControl) }
    fields.put(
      Field.debug, words: [debug.db.0, debug.db.1, debug.db.2, debug.db.3, debug.dr6, debug.dr7])
    var registers: [UInt8] = []
    for msr in msrs {
      registers.append(field: msr.index)
      registers.append(field: msr.value)
    }
    fields.put(Field.msrs, registers)
    fields.put(Field.apic, apic.bytes)
    fields.put(Field.events, words: events.words)
    return fields
  }

  package init(from fields: inout FieldReader) throws(StateError) {
    cpuid = try CPUID(encoded: fields.bytes(Field.cpuid, limit: CPUID.encodedLimit), orElse: fields.fault(Field.cpuid))
    tscKHz = try fields.number(Field.tscKHz)
    tscOffset = try fields.optional(Field.tscOffset)
    // KVM_MP_STATE_RUNNABLE to _SIPI_RECEIVED: those of x86.
    mpState = try fields.number(Field.mpState, in: 0...4)
    general = kvm_regs(try fields.words(Field.general, count: kvm_regs.wordCount))
    let segments = try fields.words(Field.segments, count: 8 * kvm_segment.wordCount)
    let tables = try fields.words(Field.tables, count: 4)
    guard special.setSegments(segments) else { throw fields.fault(Field.segments) }
    guard special.setTables(tables) else { throw fields.fault(Field.tables) }
    special.setControl(try fields.words(Field.control, count: 7))
    let pending = try fields.words(Field.interrupts, count: 4)
    special.interrupt_bitmap = (pending[0], pending[1], pending[2], pending[3])
    extended = try fields.bytes(Field.extended, limit: Self.extendedLimit)
    guard extended.count >= 4096 else { throw fields.fault(Field.extended) }
    extendedControl = try fields.optional(Field.extendedControl)
    let debug = try fields.words(Field.debug, count: 6)
    self.debug.db = (debug[0], debug[1], debug[2], debug[3])
    self.debug.dr6 = debug[4]
    self.debug.dr7 = debug[5]
    msrs = try Self.readMSRs(&fields)
    guard let apic = LocalAPIC(try fields.bytes(Field.apic, limit: LocalAPIC.size)) else {
      throw fields.fault(Field.apic)
    }
    self.apic = apic
    guard let events = kvm_vcpu_events(try fields.words(Field.events, count: kvm_vcpu_events.wordCount)) else {
      throw fields.fault(Field.events)
    }
    self.events = events
  }

  private static func readMSRs(_ fields: inout FieldReader) throws(StateError) -> [MSR] {
    let bytes = try fields.bytes(Field.msrs, limit: Int(CKVM_MSR_CAPACITY) * msrSize)
    guard bytes.count % msrSize == 0 else { throw fields.fault(Field.msrs) }
    var msrs: [MSR] = []
    for place in stride(from: 0, to: bytes.count, by: msrSize) {
      let msr = MSR(index: bytes.field(at: place), value: bytes.field(at: place + 4))
      if let last = msrs.last, last.index >= msr.index { throw fields.fault(Field.msrs) }
      msrs.append(msr)
    }
    return msrs
  }
}

extension FieldWriter {
  mutating func put(_ id: UInt16, words: [UInt64]) { put(id, words.flatMap { littleEndian($0) }) }
}

extension FieldReader {
  /// So many numbers of 64 bits.
  mutating func words(_ id: UInt16, count: Int) throws(StateError) -> [UInt64] {
    let bytes = try bytes(id, limit: 8 * count)
    guard bytes.count == 8 * count else { throw fault(id) }
    return (0..<count).map { bytes.field(at: 8 * $0) }
  }
}
