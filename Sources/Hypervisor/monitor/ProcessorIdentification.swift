import CHypercall
import Chipset
import HypercallABI

/// What CPUID says to a guest: what the processor has, less what a machine does not, as novm has it on KVM
/// (Sources/Monitor/KVM/CPUID.swift). Leaves and bits are named as in Intel's SDM 2A and AMD's APM 3, appendix E.
struct ProcessorIdentification {
  /// Of this processor, which is its local APIC's id, too.
  let index: UInt32
  let count: UInt32

  func answer(_ block: MessageBlock) {
    typealias State = MessageBlock.State
    let result = leaf(UInt32(truncatingIfNeeded: block[State.rax]), UInt32(truncatingIfNeeded: block[State.rcx]))
    block[State.rax] = UInt64(result.eax)
    block[State.rbx] = UInt64(result.ebx)
    block[State.rcx] = UInt64(result.ecx)
    block[State.rdx] = UInt64(result.edx)
  }

  /// Bits of the number of processors of the socket.
  private var bits: UInt32 { UInt32(32 - (count - 1).leadingZeroBitCount) }

  private func leaf(_ leaf: UInt32, _ subleaf: UInt32) -> h_registers {
    var result = h_cpuid(leaf, subleaf)
    switch leaf {
    case 1:
      result.ebx = result.ebx & 0xffff | count << 16 | index << 24
      // No MONITOR, VMX, SMX, EST, TM2; no XSAVE, hence no AVX, FMA, F16C.
      result.ecx &= ~0x3c04_d1fc
      // x2APIC, the deadline timer, a hypervisor.
      result.ecx |= 0x8120_0000
      if count > 1 { result.edx |= 1 << 28 } else { result.edx &= ~(1 << 28) }
      // DS, ACPI, TM, PBE.
      result.edx &= ~0xa060_0000
    // What general registers are enough for: FSGSBASE, BMI1, SMEP, BMI2, ERMS, RDSEED, ADX, SMAP, CLFLUSHOPT, CLWB, SHA. Nothing of
    // registers that are not the guest's own (PKRU, TSC_AUX by RDPID) or that the monitor does not keep (SPEC_CTRL).
    case 7: result = h_registers(eax: 0, ebx: subleaf == 0 ? result.ebx & 0x219c_0389 : 0, ecx: 0, edx: 0)
    case 6: result = h_registers(eax: 1 << 2, ebx: 0, ecx: 0, edx: 0)
    case 0x4000_0000: result = h_registers(eax: 0x4000_0001, ebx: 0x4b4d_564b, ecx: 0x564b_4d56, edx: 0x4d)
    case 0x4000_0001: result = h_registers(eax: GuestClock.features, ebx: 0, ecx: 0, edx: 0)
    case 5, 0xa, 0xb, 0xd, 0x1f, 0x8000_000a, 0x8000_001d, 0x8000_001e, 0x4000_0002...0x4000_ffff:
      result = h_registers()
    case 0x8000_0001:
      // SVM, IBS, XOP, SKINIT, WDT, LWP, FMA4, NodeId, topology extensions, performance counters.
      result.ecx &= ~0x11c9_bc04
      result.ecx = count > 1 ? result.ecx | 1 << 1 : result.ecx & ~(1 << 1)
      // RDTSCP: TSC_AUX is the processor's.
      result.edx &= ~(1 << 27)
    case 0x8000_0008:
      result.ecx = count > 1 ? bits << 12 | (count - 1) : 0
      // CLZERO; barriers such as IBPB are by registers that are nobody's here.
      result.ebx &= 1
    default: break
    }
    return result
  }
}
