import Boot
import CKVM
import Testing

@testable import KVM

/// What a guest is told of its processor, given what KVM supports; leaves as in Intel's SDM 2A and AMD's APM 3.
struct CPUIDTests {
  /// Every leaf that the machine changes, with every bit set.
  private static let host = CPUID(
    [
      (1, 0), (4, 0), (4, 3), (5, 0), (6, 0), (7, 0), (0xa, 0), (0xb, 0), (0xb, 1), (0x8000_0001, 0), (0x8000_0008, 0),
      (0x8000_000a, 0), (0x8000_001d, 3), (0x8000_001e, 0),
    ].map { function, index in
      kvm_cpuid_entry2(
        function: function, index: index, flags: 0, eax: function == 4 || function == 0x8000_001d ? index << 5 : ~0,
        ebx: ~0, ecx: ~0, edx: ~0, padding: (0, 0, 0))
    })

  private func leaf(_ function: UInt32, _ index: UInt32 = 0, of cpuid: CPUID) throws -> kvm_cpuid_entry2 {
    try #require(cpuid.entries.first { $0.function == function && $0.index == index })
  }

  private func processor(_ apicID: UInt32, of count: UInt32, hasTSCDeadline: Bool = true) -> CPUID {
    Self.host.forVCPU(Int(apicID), of: ProcessorTopology(cores: Int(count)), hasTSCDeadline: hasTSCDeadline)
  }

  @Test func hasNoPartThatTheMachineLacks() throws {
    let cpuid = processor(0, of: 1)
    let features = try leaf(1, of: cpuid)
    #expect(features.ecx & (1 << 3 | 1 << 5 | 1 << 6) == 0, "MONITOR, VMX, SMX")
    #expect(features.edx & (1 << 22 | 1 << 29) == 0, "thermal control by ACPI, thermal monitor")
    #expect(try leaf(0x8000_0001, of: cpuid).ecx & (1 << 2) == 0, "SVM")
    for function: UInt32 in [5, 0xa, 0x8000_000a] {
      let empty = try leaf(function, of: cpuid)
      #expect([empty.eax, empty.ebx, empty.ecx, empty.edx] == [0, 0, 0, 0])
    }
  }

  @Test func saysThatThereIsAHypervisor() throws {
    #expect(try leaf(1, of: processor(0, of: 1)).ecx >> 31 == 1)
  }

  @Test(arguments: [true, false]) func hasTheDeadlineTimerOfTheInKernelAPIC(_ present: Bool) throws {
    #expect(try leaf(1, of: processor(0, of: 1, hasTSCDeadline: present)).ecx >> 24 & 1 == (present ? 1 : 0))
  }

  /// A processor's number, how many there are, and the bits that number them.
  static let processors: [(UInt32, UInt32, UInt32)] = [
    (0, 1, 0), (0, 2, 1), (1, 2, 1), (2, 3, 2), (63, 64, 6), (199, 200, 8),
  ]

  @Test(arguments: processors)
  func everyProcessorIsACoreOfOnePackage(apicID: UInt32, count: UInt32, coreBits: UInt32) throws {
    let cpuid = processor(apicID, of: count)
    #expect(try leaf(1, of: cpuid).ebx >> 24 == apicID)
    #expect(try leaf(1, of: cpuid).ebx >> 16 & 0xff == count)
    #expect(try leaf(1, of: cpuid).edx >> 28 & 1 == (count > 1 ? 1 : 0), "HTT")

    // Extended topology: one thread a core, then `count` cores, then nothing more.
    let (threads, cores, end) = (try leaf(0xb, 0, of: cpuid), try leaf(0xb, 1, of: cpuid), try leaf(0xb, 2, of: cpuid))
    #expect([threads.eax, threads.ebx, threads.ecx >> 8, threads.edx] == [0, 1, 1, apicID])
    #expect([cores.eax, cores.ebx, cores.ecx >> 8, cores.edx] == [coreBits, count, 2, apicID])
    #expect([end.ebx, end.ecx >> 8] == [0, 0])
    #expect(cpuid.entries.count { $0.function == 0xb } == 3)
    // A leaf that the host does not have is not made up.
    #expect(!cpuid.entries.contains { $0.function == 0x1f })

    // Caches: the first level is a core's own, the third everybody's.
    #expect(try leaf(4, 0, of: cpuid).eax >> 14 & 0xfff == 0)
    #expect(try leaf(4, 3, of: cpuid).eax >> 14 & 0xfff == (1 << coreBits) - 1)

    #expect(try leaf(0x8000_0008, of: cpuid).ecx >> 12 & 0xf == coreBits)
    #expect(try leaf(0x8000_0008, of: cpuid).ecx & 0xff == count - 1)
    #expect(try leaf(0x8000_001e, of: cpuid).eax == apicID)
  }

  /// Two sockets of three cores of two threads: one bit for threads, two for cores.
  @Test func processorsLieInCoresAndSockets() throws {
    let topology = try #require(ProcessorTopology(Array("12,cores=3,threads=2".utf8)))
    let cpuid = Self.host.forVCPU(9, of: topology, hasTSCDeadline: true)
    let apicID: UInt32 = 1 << 3 | 1 << 1 | 1
    #expect(try leaf(1, of: cpuid).ebx >> 24 == apicID)
    #expect(try leaf(1, of: cpuid).ebx >> 16 & 0xff == 6)
    let (threads, cores) = (try leaf(0xb, 0, of: cpuid), try leaf(0xb, 1, of: cpuid))
    #expect([threads.eax, threads.ebx, threads.ecx >> 8, threads.edx] == [1, 2, 1, apicID])
    #expect([cores.eax, cores.ebx, cores.ecx >> 8, cores.edx] == [3, 6, 2, apicID])
    // The first cache is a core's, the third a socket's; four ids of cores.
    #expect(try leaf(4, 0, of: cpuid).eax >> 14 & 0xfff == 1)
    #expect(try leaf(4, 3, of: cpuid).eax >> 14 & 0xfff == 7)
    #expect(try leaf(4, 0, of: cpuid).eax >> 26 == 3)
    #expect(try leaf(0x8000_0008, of: cpuid).ecx & 0xf0ff == 3 << 12 | 5)
    #expect(try leaf(0x8000_001d, 3, of: cpuid).eax >> 14 & 0xfff == 5)
    let place = try leaf(0x8000_001e, of: cpuid)
    #expect([place.eax, place.ebx, place.ecx] == [apicID, 5 | 1 << 8, 1])
  }

  /// Of a host that does not have them either.
  @Test func processorsOfAMDHaveThreads() throws {
    func leaf(_ function: UInt32, eax: UInt32 = 0, _ name: (UInt32, UInt32, UInt32) = (0, 0, 0)) -> kvm_cpuid_entry2 {
      kvm_cpuid_entry2(
        function: function, index: 0, flags: 0, eax: eax, ebx: name.0, ecx: name.1, edx: name.2, padding: (0, 0, 0))
    }
    let amd: (UInt32, UInt32, UInt32) = (0x6874_7541, 0x444d_4163, 0x6974_6e65)
    let host = CPUID([leaf(0, amd), leaf(0x8000_0000, eax: 0x8000_000a), leaf(0x8000_0001)])
    let topology = try #require(ProcessorTopology(Array("4,threads=2".utf8)))
    let cpuid = host.forVCPU(3, of: topology, hasTSCDeadline: true)
    #expect(try self.leaf(0x8000_0000, of: cpuid).eax == 0x8000_001e)
    #expect(try self.leaf(0x8000_0001, of: cpuid).ecx >> 22 & 1 == 1)
    #expect(try self.leaf(0x8000_001e, of: cpuid).ebx == 1 | 1 << 8)
    // Others have no such leaf, and who has no threads needs none.
    let plain = host.forVCPU(3, of: ProcessorTopology(cores: 4), hasTSCDeadline: true)
    #expect(try self.leaf(0x8000_0001, of: plain).ecx >> 22 & 1 == 0)
  }

  @Test func leavesOfOtherPartsStayTheHosts() throws {
    let features = try leaf(7, of: processor(0, of: 4))
    #expect([features.eax, features.ebx, features.ecx, features.edx] == [~0, ~0, ~0, ~0])
  }
}
