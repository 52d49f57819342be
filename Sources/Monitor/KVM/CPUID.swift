import Boot
import CKVM

/// The CPUID leaves of a guest: what KVM supports, the machine's topology, and none of what the machine does not have.
///
/// Leaves and bits are named as in Intel's SDM volume 2A (CPUID) and AMD's APM volume 3, appendix E.
struct CPUID {
  private(set) var entries: [kvm_cpuid_entry2]

  init(_ entries: [kvm_cpuid_entry2]) { self.entries = entries }

  /// The leaves of one vCPU.
  ///
  /// - Parameters:
  ///   - index: of this vCPU, below the count of `topology`.
  func forVCPU(_ index: Int, of topology: ProcessorTopology, hasTSCDeadline: Bool) -> CPUID {
    var guest = self
    let apicID = topology.apicID(of: index)
    guest.setFeatures(apicID: apicID, topology, hasTSCDeadline: hasTSCDeadline)
    guest.setTopology(apicID: apicID, topology)
    if topology.threads > 1, isAMD { guest.offerThreads() }
    guest.setExtended(apicID: apicID, topology)
    return guest
  }

  /// Bits of a physical address: 36 where a processor does not tell (Intel SDM volume 3, 4.1.4).
  var addressBits: Int {
    entries.first { $0.function == 0x8000_0008 }.map { Int($0.eax & 0xff) } ?? 36
  }

  private mutating func setFeatures(apicID: UInt32, _ topology: ProcessorTopology, hasTSCDeadline: Bool) {
    edit(1) { leaf in
      leaf.ebx = leaf.ebx & 0x0000_ffff | UInt32(topology.perSocket) << 16 | apicID << 24
      // DTES64, MONITOR, DS-CPL, VMX, SMX, EST, TM2, xTPR, PDCM, DCA: no such parts here.
      leaf.ecx &= ~(Self.bits(2...8) | Self.bits(14...15) | 1 << 18)
      leaf.ecx |= 1 << 31  // A hypervisor is present.
      leaf.ecx = hasTSCDeadline ? leaf.ecx | 1 << 24 : leaf.ecx & ~(1 << 24)
      if topology.perSocket > 1 { leaf.edx |= 1 << 28 } else { leaf.edx &= ~(1 << 28) }  // HTT
      leaf.edx &= ~(Self.bits(21...22) | 1 << 29 | 1 << 31)  // DS, ACPI, TM, PBE
    }
    // MONITOR/MWAIT, and performance counters, which are not virtualized.
    clear(5)
    clear(0xa)
    edit(6) {
      $0.eax &= 1 << 2
      $0.ebx = 0
      $0.ecx = 0
    }  // Only ARAT: the timer never stops.
  }

  private mutating func setTopology(apicID: UInt32, _ topology: ProcessorTopology) {
    let (threadBits, socketBits) = (topology.threadBits, topology.socketBits)
    // Intel: how many share a cache, a core's or the socket's; how many cores a socket has. Both as ids, less one.
    edit(4) { leaf in
      let level = leaf.eax >> 5 & 7
      let sharing: UInt32 = (1 << (level >= 3 ? socketBits : threadBits)) - 1
      // Six bits of it.
      let cores: UInt32 = min((1 << (socketBits - threadBits)) - 1, 63)
      leaf.eax = leaf.eax & 0x3fff | sharing << 14 | cores << 26
    }
    for leaf: UInt32 in [0xb, 0x1f] where entries.contains(where: { $0.function == leaf }) {
      entries.removeAll { $0.function == leaf }
      // Threads of a core, then processors of the socket.
      append(leaf, 0, eax: threadBits, ebx: UInt32(topology.threads), ecx: 0 | 1 << 8, edx: apicID)
      append(leaf, 1, eax: socketBits, ebx: UInt32(topology.perSocket), ecx: 1 | 2 << 8, edx: apicID)
      append(leaf, 2, eax: 0, ebx: 0, ecx: 2, edx: apicID)
    }
  }

  private var isAMD: Bool {
    entries.contains { $0.function == 0 && $0.ebx == 0x6874_7541 && $0.edx == 0x6974_6e65 && $0.ecx == 0x444d_4163 }
  }

  /// TopologyExtensions, without which AMD's processors have no threads (APM volume 3, E.4.7): what it says is the machine's
  /// own affair, so a host need not have it.
  private mutating func offerThreads() {
    edit(0x8000_0000) { $0.eax = max($0.eax, 0x8000_001e) }
    edit(0x8000_0001) { $0.ecx |= 1 << 22 }
    if !entries.contains(where: { $0.function == 0x8000_001e }) {
      append(0x8000_001e, 0, eax: 0, ebx: 0, ecx: 0, edx: 0)
    }
  }

  private mutating func setExtended(apicID: UInt32, _ topology: ProcessorTopology) {
    let count = UInt32(topology.perSocket)
    edit(0x8000_0001) { leaf in
      // SVM, IBS, SKINIT, WDT, LWP, NodeId MSR, the performance counters.
      leaf.ecx &= ~(1 << 2 | 1 << 10 | 1 << 12 | 1 << 13 | 1 << 15 | 1 << 19 | 1 << 23 | 1 << 24 | 1 << 28)
      leaf.ecx = count > 1 ? leaf.ecx | 1 << 1 : leaf.ecx & ~(1 << 1)  // CmpLegacy
    }
    edit(0x8000_0008) { leaf in
      leaf.ecx = count > 1 ? topology.socketBits << 12 | (count - 1) & 0xff : 0
    }
    clear(0x8000_000a)  // SVM
    edit(0x8000_001d) { leaf in
      let level = leaf.eax >> 5 & 7
      leaf.eax = leaf.eax & 0x3fff | (level >= 3 ? count - 1 : UInt32(topology.threads) - 1) << 14
    }
    edit(0x8000_001e) {
      $0.eax = apicID
      // The core, and the threads that it has, less one; then the node, which here is the socket.
      $0.ebx = apicID >> topology.threadBits & 0xff | (UInt32(topology.threads) - 1) << 8
      $0.ecx = apicID >> topology.socketBits
      $0.edx = 0
    }
  }

  private static func bits(_ range: ClosedRange<UInt32>) -> UInt32 {
    range.reduce(0) { $0 | 1 << $1 }
  }

  private mutating func edit(_ function: UInt32, _ change: (inout kvm_cpuid_entry2) -> Void) {
    for index in entries.indices where entries[index].function == function { change(&entries[index]) }
  }

  private mutating func clear(_ function: UInt32) {
    edit(function) {
      $0.eax = 0
      $0.ebx = 0
      $0.ecx = 0
      $0.edx = 0
    }
  }

  private mutating func append(
    _ function: UInt32, _ index: UInt32, eax: UInt32, ebx: UInt32, ecx: UInt32, edx: UInt32
  ) {
    var entry = kvm_cpuid_entry2()
    entry.function = function
    entry.index = index
    entry.flags = 1  // KVM_CPUID_FLAG_SIGNIFCANT_INDEX
    entry.eax = eax
    entry.ebx = ebx
    entry.ecx = ecx
    entry.edx = edx
    entries.append(entry)
  }
}
