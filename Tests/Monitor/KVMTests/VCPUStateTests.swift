import CKVM
import LittleEndian
import State
import Testing

@testable import KVM

/// A vCPU's section of a state, without a vCPU.
struct VCPUStateTests {
  /// One in which no two numbers are the same.
  private static var sample: VCPUState {
    var state = VCPUState()
    var next: UInt64 = 0x1111_0000_0000_0001
    func word() -> UInt64 {
      next &+= 0x0101_0101_0101_0107
      return next
    }
    var leaf = kvm_cpuid_entry2()
    leaf.function = 7
    leaf.ecx = 9
    state.cpuid = CPUID([kvm_cpuid_entry2(), leaf])
    state.tscKHz = 2_500_000
    state.tscOffset = word()
    state.mpState = 3
    state.general = kvm_regs((0..<18).map { _ in word() })
    var segments: [UInt64] = []
    for index in 0..<8 as Range<UInt64> {
      segments += [word(), 0xffff_0000 + index, index, 0x1_a09b & ~0xf | index]
    }
    _ = state.special.setSegments(segments)
    _ = state.special.setTables([word(), 0x7f, word(), 0xfff])
    state.special.setControl((0..<7).map { _ in word() })
    state.special.interrupt_bitmap.2 = 1 << 40
    state.extended = (0..<4096).map { UInt8(truncatingIfNeeded: $0 * 7) }
    state.extendedControl = 7
    state.debug.db = (word(), word(), word(), word())
    state.debug.dr6 = word()
    state.debug.dr7 = 0x400
    state.msrs = [VCPUState.MSR(index: 0x10, value: word()), VCPUState.MSR(index: 0xc000_0080, value: 0xd01)]
    state.apic = LocalAPIC((0..<1024).map { UInt8(truncatingIfNeeded: $0 * 3) })!
    state.events.exception.error_code = 0x1234_5678
    state.events.flags = 5
    state.events.interrupt.shadow = 2
    state.events.exception_payload = word()
    return state
  }

  private func stream(_ fields: FieldWriter) -> [UInt8] {
    var writer = StateWriter()
    writer.add(VCPUState.tag, fields)
    return writer.finish()
  }

  private func read(_ bytes: [UInt8]) throws(StateError) -> VCPUState {
    var reader = try StateReader(bytes)
    var fields = try reader.require(VCPUState.tag)
    let state = try VCPUState(from: &fields)
    try fields.finish()
    return state
  }

  @Test func isWhatItWas() throws {
    let written = stream(Self.sample.save())
    let state = try read(written)
    #expect(stream(state.save()) == written)
    #expect(state.general.rip == Self.sample.general.rip && state.special.efer == Self.sample.special.efer)
    #expect(state.special.cs.base == Self.sample.special.cs.base && state.special.cs.base != 0)
    #expect(state.special.ss.selector == 5 && state.debug.db.2 == Self.sample.debug.db.2 && state.debug.dr6 != 0)
    #expect(state.special.fs.selector == 3 && state.special.fs.g == 1 && state.special.fs.unusable == 1)
    #expect(state.events.exception.error_code == 0x1234_5678 && state.events.interrupt.shadow == 2)
    #expect(state.msrs == Self.sample.msrs && state.tscOffset == Self.sample.tscOffset)
  }

  @Test func apicAsKVMHasIt() {
    let apic = Self.sample.apic
    #expect(LocalAPIC(kvm_lapic_state(apic)) == apic)
  }

  /// Changes one field's bytes.
  private func refused(_ id: UInt16, _ change: (inout [UInt8]) -> Void) throws -> Bool {
    let all = try StateReader(stream(Self.sample.save())).contents[0].payload
    var payload: [UInt8] = []
    var place = 0
    while place < all.count {
      let length = Int(all.field(UInt32.self, at: place + 4))
      var value = Array(all[(place + 8)..<(place + 8 + length)])
      if all.field(UInt16.self, at: place) == id { change(&value) }
      payload += all[place..<(place + 4)]
      payload.append(field: UInt32(value.count))
      payload += value
      place += 8 + length
    }
    var writer = StateWriter()
    writer.add(VCPUState.tag, payload: payload)
    do throws(StateError) {
      _ = try read(writer.finish())
      return false
    } catch {
      return error == .value(VCPUState.tag, id: id)
    }
  }

  @Test func whatCannotBeIsRefused() throws {
    #expect(try !refused(5) { $0[0] ^= 1 })
    #expect(try refused(1) { $0.removeLast() })
    #expect(try refused(1) { $0 = [] })
    #expect(try refused(1) { $0 = [UInt8](repeating: 0, count: 28 * 257) })
    #expect(try refused(4) { $0 = [5] })
    for id in [5, 6, 7, 8, 9, 12, 15] as [UInt16] {
      #expect(try refused(id) { $0.removeLast() })
      #expect(try refused(id) { $0.append(0) })
    }
    // A limit of more than 32 bits, a selector of more than 16, rights that are none.
    for (word, value) in [(1, UInt64(1) << 32), (2, 1 << 16), (3, 1 << 8), (3, 1 << 17)] {
      #expect(try refused(6) { $0.replaceSubrange((8 * word)..<(8 * word + 8), with: littleEndian(value)) })
    }
    #expect(try refused(7) { $0[10] = 1 })
    #expect(try refused(10) { $0.removeLast() })
    #expect(try refused(10) { $0 = [UInt8](repeating: 0, count: 65537) })
    // Out of order, and twice.
    #expect(try refused(13) { $0.replaceSubrange(12..<16, with: [0, 0, 0, 0]) })
    #expect(try refused(13) { $0 += $0 })
    #expect(try refused(13) { $0.removeLast() })
    #expect(try refused(14) { $0.removeLast() })
    // A byte that is more, a flag that KVM was not asked for.
    #expect(try refused(15) { $0[1] = 1 })
    #expect(try refused(15) { $0[8 * 13] = 0x20 })
  }

  @Test func oneMoreInterruptOfATimerThatEnded() throws {
    /// - Returns: the request for vector 0xec.
    func isRequested(timer: UInt32, initial: UInt32 = 9, current: UInt32 = 0) -> Bool {
      var bytes = [UInt8](repeating: 0, count: LocalAPIC.size)
      bytes.put(timer, at: 0x320)
      bytes.put(initial, at: 0x380)
      bytes.put(current, at: 0x390)
      var apic = LocalAPIC(bytes)!
      apic.requestEndedTimer()
      return apic.bytes.field(UInt32.self, at: 0x270) == 1 << 12 && apic.bytes != bytes
    }
    #expect(isRequested(timer: 0xec))
    #expect(!isRequested(timer: 0xec, current: 1), "it counts still")
    #expect(!isRequested(timer: 0xec, initial: 0), "nobody started it")
    #expect(!isRequested(timer: 0x100ec), "masked")
    #expect(!isRequested(timer: 0x200ec), "periodic")
    #expect(!isRequested(timer: 0x400ec), "with a deadline")
    #expect(!isRequested(timer: 0x0c), "no vector")
  }

  @Test func anotherProcessor() {
    func cpuid(maker: UInt32 = 1, ecx: UInt32 = 0xf, leaf7: UInt32 = 3, xcr0: UInt32 = 7) -> CPUID {
      var leaves = [kvm_cpuid_entry2(), kvm_cpuid_entry2(), kvm_cpuid_entry2(), kvm_cpuid_entry2()]
      leaves[0].ebx = maker
      leaves[1].function = 1
      leaves[1].ecx = ecx
      leaves[2].function = 7
      leaves[2].ebx = leaf7
      leaves[3].function = 0xd
      leaves[3].eax = xcr0
      return CPUID(leaves)
    }
    let host = cpuid()
    #expect(host.leaf(beyond: host) == nil)
    #expect(cpuid(ecx: 7, leaf7: 0, xcr0: 3).leaf(beyond: host) == nil, "fewer are no matter")
    #expect(cpuid(ecx: 0xf | 1 << 27).leaf(beyond: host) == nil, "what follows a control register")
    #expect(cpuid(maker: 2).leaf(beyond: host) == 0)
    #expect(cpuid(ecx: 0x1f).leaf(beyond: host) == 1)
    #expect(cpuid(leaf7: 4).leaf(beyond: host) == 7)
    #expect(cpuid(xcr0: 0xff).leaf(beyond: host) == 0xd)
  }

  /// One register of a leaf: what the host has there, and what the state has.
  @Test(
    arguments: [
      (7, 1, 2, 0, 0x20), (7, 2, 3, 1, 2), (0x14, 0, 1, 0, 1), (0x14, 0, 2, 1, 3), (0x14, 1, 0, 2, 3),
      (0x14, 1, 0, 8, 16), (0x24, 0, 1, 1, 2), (0x24, 0, 1, 0x10000, 0x20000), (0x24, 1, 2, 0, 4),
      (0x8000_0008, 0, 0, 0x3028, 0x3030), (0x8000_0008, 0, 0, 0x3030, 0x3930), (0x8000_0021, 0, 0, 1, 3),
      (0x8000_0021, 0, 2, 0, 2),
    ] as [(UInt32, UInt32, Int, UInt32, UInt32)])
  func moreThanTheHostHas(_ leaf: (UInt32, UInt32, Int, UInt32, UInt32)) {
    let (theirs, own) = (leaf.3, leaf.4)
    func cpuid(_ value: UInt32) -> CPUID {
      var entry = kvm_cpuid_entry2()
      (entry.function, entry.index) = (leaf.0, leaf.1)
      switch leaf.2 {
      case 0: entry.eax = value
      case 1: entry.ebx = value
      case 2: entry.ecx = value
      default: entry.edx = value
      }
      return CPUID([kvm_cpuid_entry2(), entry])
    }
    #expect(cpuid(own).leaf(beyond: cpuid(theirs)) == leaf.0)
    #expect(cpuid(theirs).leaf(beyond: cpuid(theirs)) == nil)
    #expect(cpuid(0).leaf(beyond: cpuid(own)) == nil)
  }

  @Test func whatAnotherProcessorIsSafeFrom() {
    #expect(VCPU.has(capabilities: 0b1011, 0b1111))
    #expect(!VCPU.has(capabilities: 0b1011, 0b1001))
    #expect(!VCPU.has(capabilities: 1 << 63, 0))
    #expect(VCPU.has(capabilities: 1 << 2 | 1 << 19, 0), "who lacks a fault can run what expects one")
  }

  @Test func chips() throws {
    var state = ChipState()
    state.clock = 77
    state.ioapic[1] = 1 << 24
    state.ioapic[26] = .max
    state.controllers[1][15] = 0xde
    var writer = StateWriter()
    writer.add(ChipState.tag, state.save())
    var reader = try StateReader(writer.finish())
    var fields = try reader.require(ChipState.tag)
    let again = try ChipState(from: &fields)
    #expect(again.clock == 77 && again.ioapic == state.ioapic && again.controllers == state.controllers)

    state.ioapic[0] = 1 << 32
    writer = StateWriter()
    writer.add(ChipState.tag, state.save())
    reader = try StateReader(writer.finish())
    fields = try reader.require(ChipState.tag)
    #expect(throws: StateError.value(ChipState.tag, id: 1)) { try ChipState(from: &fields) }
  }
}
