import LittleEndian

/// The machine as its MP table describes it: processors, the I/O APIC, and nothing else. For kernels without ACPI.
package struct MPPlatform {
  /// The local APIC's ID of each processor, the first processor's first.
  package var apicIDs: [UInt32]
  package var localAPICAddress: UInt32 = 0xfee0_0000
  package var ioAPICAddress: UInt32 = 0xfec0_0000
  /// Inputs of the I/O APIC.
  package var interruptCount = 24
  package var power: PowerRegisters

  package init(apicIDs: [UInt32], power: PowerRegisters) {
    self.apicIDs = apicIDs
    self.power = power
  }
}

/// Intel's MultiProcessor Specification, version 1.4, chapter 4: how a kernel without ACPI learns of its processors and
/// that interrupts come by the I/O APIC. Without it, it would take them from the 8259 pair, which has inputs for half of
/// our devices, and use one processor.
enum MPTable {
  private static let pointerSize: UInt64 = 16
  private static let headerSize = 44
  private static let specification: UInt8 = 4  // of 1.4
  private static let bus: UInt8 = 0

  private enum Entry {
    static let processor: UInt8 = 0
    static let bus: UInt8 = 1
    static let ioAPIC: UInt8 = 2
    static let interrupt: UInt8 = 3
    static let localInterrupt: UInt8 = 4
  }

  /// The floating pointer and, behind it, the configuration table, as they lie from `base` on: in the last 64 KiB of the
  /// first MiB, at a multiple of 16.
  static func bytes(_ platform: MPPlatform, at base: UInt64) throws(BootError) -> [UInt8] {
    // An ID has eight bits, of which one value means all, and the I/O APIC wants one too.
    guard (1...254).contains(platform.apicIDs.count), platform.apicIDs.allSatisfy({ $0 < 254 }) else {
      throw .tooManyProcessors(platform.apicIDs.count)
    }
    let table = configuration(platform)
    var bytes: [UInt8] = []
    bytes.append(ascii: "_MP_")
    bytes.append(field: UInt32(truncatingIfNeeded: base + pointerSize))
    // In units of 16 bytes; a configuration table is there (feature byte 1), no IMCR is (2).
    bytes.append(contentsOf: [1, specification, 0, 0, 0, 0, 0, 0])
    bytes[10] = ACPITable.checksum(bytes[...])
    return bytes + table
  }

  private static func configuration(_ platform: MPPlatform) -> [UInt8] {
    var entries: [UInt8] = []
    var count: UInt16 = 0
    func append(_ entry: [UInt8]) {
      entries.append(contentsOf: entry)
      count += 1
    }
    // Behind all processors, between whose ids there may be gaps.
    let ioAPICID = UInt8(truncatingIfNeeded: (platform.apicIDs.max() ?? 0) + 1)
    for (index, id) in platform.apicIDs.enumerated() {
      append(processor(UInt8(truncatingIfNeeded: id), isFirst: index == 0))
    }
    append([Entry.bus, bus] + Array("ISA   ".utf8))
    var ioAPIC: [UInt8] = [Entry.ioAPIC, ioAPICID, 0x11, 1]  // version of the 82093AA; usable
    ioAPIC.append(field: platform.ioAPICAddress)
    append(ioAPIC)
    // Each a plain interrupt (0) whose flags say "as the bus has it": on ISA edges, active high.
    for line in 0..<platform.interruptCount {
      let line = UInt8(truncatingIfNeeded: line)
      append([Entry.interrupt, 0, 0, 0, bus, line, ioAPICID, line])
    }
    append([Entry.localInterrupt, 1, 0, 0, bus, 0, 0xff, 1])  // NMI at LINT1 of every local APIC

    var table: [UInt8] = []
    table.append(ascii: "PCMP")
    table.append(field: UInt16(headerSize + entries.count))
    table.append(contentsOf: [specification, 0])
    table.append(ascii: "NOVM    ")  // OEM ID
    table.append(ascii: "NOVM        ")  // product ID
    table.append(contentsOf: [0, 0, 0, 0, 0, 0])  // no OEM table
    table.append(field: count)
    table.append(field: platform.localAPICAddress)
    table.append(contentsOf: [0, 0, 0, 0])  // no extended entries
    table.append(contentsOf: entries)
    table[7] = ACPITable.checksum(table[...])
    return table
  }

  /// A processor entry (4.3.1), usable. Signature and features are what every x86-64 processor is at least: family 6 with
  /// FPU and APIC; kernels take them from CPUID.
  private static func processor(_ id: UInt8, isFirst: Bool) -> [UInt8] {
    var entry: [UInt8] = [Entry.processor, id, 0x14, isFirst ? 0b11 : 0b01]
    entry.append(field: UInt32(0x600))
    entry.append(field: UInt32(1 << 0 | 1 << 9))
    entry.append(field: UInt64(0))
    return entry
  }
}
