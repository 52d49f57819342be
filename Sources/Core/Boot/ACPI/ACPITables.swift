import LittleEndian

/// The tables of a hardware-reduced machine (ACPI 6.5, 4.1 and 5.2), laid out one after another: RSDP, XSDT, FADT,
/// MADT, DSDT, MCFG where there is a PCI bus, and SRAT and SLIT where there are NUMA nodes.
package struct ACPITables {
  /// The bytes as they lie from the base address on; the RSDP comes first.
  package let bytes: [UInt8]
  package let rsdp: UInt64
  /// Each table apart, for tools that read them.
  package let tables: [[UInt8]]

  /// More than this the MADT's and Linux's own limits do not want.
  private static let maximumProcessors = 1024
  private static let rsdpSize = 36

  /// Tables for `area`, which lies below 4 GiB.
  package init(_ platform: ACPIPlatform, in area: Range<UInt64>) throws(BootError) {
    guard (1...Self.maximumProcessors).contains(platform.apicIDs.count) else {
      throw .tooManyProcessors(platform.apicIDs.count)
    }
    let base = area.lowerBound
    let dsdt = Self.differentiated(platform)
    let madt = Self.interrupts(platform)
    let dsdtAddress = base + 64
    let madtAddress = Self.after(dsdtAddress, dsdt)
    let fadtAddress = Self.after(madtAddress, madt)
    let fadt = FixedDescription.table(dsdt: dsdtAddress, power: platform.power)
    var placed = [(dsdtAddress, dsdt), (madtAddress, madt), (fadtAddress, fadt)]
    var end = Self.after(fadtAddress, fadt)
    var listed = [fadtAddress, madtAddress]
    var more: [[UInt8]] = []
    if let configuration = platform.busConfiguration { more.append(ConfigurationTable.table(base: configuration)) }
    if let affinity = platform.affinity { more += [affinity.resources, affinity.localities] }
    for table in more {
      placed.append((end, table))
      listed.append(end)
      end = Self.after(end, table)
    }
    var xsdt = ACPITable("XSDT", revision: 1)
    for address in listed { xsdt.body.append(field: address) }
    placed.append((end, xsdt.bytes))

    var bytes = Self.rootPointer(xsdt: end)
    for (address, table) in placed {
      bytes.append(contentsOf: repeatElement(0, count: Int(address - base) - bytes.count))
      bytes.append(contentsOf: table)
    }
    guard bytes.count <= area.count else { throw .tablesTooLarge(size: bytes.count, limit: area.count) }
    self.bytes = bytes
    tables = placed.map { $0.1 }
    rsdp = base
  }

  /// Tables start at multiples of 16, which nobody demands, and is easier to read in a dump.
  private static func after(_ address: UInt64, _ table: [UInt8]) -> UInt64 {
    (address + UInt64(table.count) + 15) & ~15
  }

  /// Root System Description Pointer (5.2.5.3): revision 2, without an RSDT.
  private static func rootPointer(xsdt: UInt64) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.append(ascii: "RSD PTR ")
    bytes.append(0)  // checksum of the first 20 bytes
    bytes.append(ascii: ACPITable.oemID)
    bytes.append(2)
    bytes.append(field: UInt32(0))
    bytes.append(field: UInt32(rsdpSize))
    bytes.append(field: xsdt)
    bytes.append(contentsOf: [0, 0, 0, 0])
    bytes[8] = ACPITable.checksum(bytes[0..<20])
    bytes[32] = ACPITable.checksum(bytes[...])
    return bytes
  }

  /// Multiple APIC Description Table (5.2.12).
  private static func interrupts(_ platform: ACPIPlatform) -> [UInt8] {
    var table = ACPITable("APIC", revision: 6)
    table.body.append(field: platform.localAPICAddress)
    table.body.append(field: UInt32(0))  // no 8259 pair (PCAT_COMPAT)
    for (uid, id) in platform.apicIDs.enumerated() {
      if let shortID = UInt8(exactly: id), shortID != 0xff, uid < 255 {
        table.body.append(contentsOf: [0, 8, UInt8(uid), shortID])  // processor local APIC, 5.2.12.2
        table.body.append(field: UInt32(1))  // enabled
      } else {
        table.body.append(contentsOf: [9, 16, 0, 0])  // processor local x2APIC, 5.2.12.12
        table.body.append(field: id)
        table.body.append(field: UInt32(1))
        table.body.append(field: UInt32(uid))
      }
    }
    table.body.append(contentsOf: [1, 12, platform.ioAPICID, 0])  // I/O APIC, 5.2.12.3
    table.body.append(field: platform.ioAPICAddress)
    table.body.append(field: UInt32(0))  // its first global interrupt
    table.body.append(contentsOf: [4, 6, 0xff, 0, 0, 1])  // NMI at LINT1 of every local APIC, 5.2.12.7
    table.body.append(contentsOf: [0xa, 12, 0, 0, 0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0])  // and x2APIC, 5.2.12.13
    return table.bytes
  }

  /// Differentiated System Description Table (5.2.11.1): the devices, and how deep soft-off sleeps.
  private static func differentiated(_ platform: ACPIPlatform) -> [UInt8] {
    var writer = AMLWriter()
    writer.name("_S5", package: [UInt64(PowerRegisters.sleepType), 0, 0, 0])
    writer.scope("_SB") { scope in
      for device in platform.devices { scope.append(device) }
    }
    var table = ACPITable("DSDT", revision: 2)
    table.body = writer.bytes
    return table.bytes
  }
}
