import Boot
import Foundation
import HostTesting
import Testing

@Suite struct ACPITablesTests {
  private static let area: Range<UInt64> = 0xe_0000..<0xf_e000

  private func platform(processors: Int = 4) -> ACPIPlatform {
    var devices = (0..<6).map {
      ACPIDevice.virtioMMIO(
        index: UInt8($0), base: 0xd000_0000 + UInt32($0) * 0x1000, size: 0x1000, interrupt: UInt32($0) + 5)
    }
    devices.append(.com1)
    devices.append(.com2)
    devices.append(.panicRegister(.memory(base: 0xd010_0000, size: 1)))
    devices.append(.powerButton(interrupt: 20))
    devices.append(.generation(at: 0x12_3456_7890, interrupt: 1))
    return ACPIPlatform(
      apicIDs: (0..<processors).map(UInt32.init), power: PowerRegisters(at: .port(0x600)), devices: devices)
  }

  /// The same with a PCI bus.
  private func withBus(_ platform: ACPIPlatform) -> ACPIPlatform {
    var platform = platform
    platform.busConfiguration = 0xd020_0000
    platform.devices.append(.motherboard([.memory(base: 0xd020_0000, size: 1 << 20)]))
    platform.devices.append(
      .hostBridge(windows: [
        .window(0xe000_0000..<0xf000_0000), .prefetchableWindow(0x1_0000_0000..<0x1_4000_0000),
      ]))
    return platform
  }

  @Test func everyChecksumIsZero() throws {
    let tables = try ACPITables(withBus(platform()), in: Self.area)
    #expect(tables.bytes[0..<20].reduce(0, &+) == 0)
    #expect(tables.bytes[0..<36].reduce(0, &+) == 0)
    for table in tables.tables {
      #expect(table.reduce(0, &+) == 0)
      #expect(table.little(UInt32.self, at: 4) == UInt32(table.count))
    }
  }

  @Test func pointersLeadFromRootToEveryTable() throws {
    let tables = try ACPITables(platform(), in: Self.area)
    func table(_ address: UInt64) -> (name: String, offset: Int) {
      let offset = Int(address - Self.area.lowerBound)
      return (String(decoding: tables.bytes[offset..<(offset + 4)], as: UTF8.self), offset)
    }
    #expect(tables.rsdp == Self.area.lowerBound)
    #expect(tables.rsdp % 16 == 0)
    #expect(String(decoding: tables.bytes[0..<8], as: UTF8.self) == "RSD PTR ")
    let xsdt = table(tables.bytes.little(UInt64.self, at: 24))
    #expect(xsdt.name == "XSDT")
    let fadt = table(tables.bytes.little(UInt64.self, at: xsdt.offset + 36))
    #expect(fadt.name == "FACP")
    #expect(table(tables.bytes.little(UInt64.self, at: xsdt.offset + 44)).name == "APIC")
    let dsdt = tables.bytes.little(UInt64.self, at: fadt.offset + 140)
    #expect(table(dsdt).name == "DSDT")
    #expect(UInt64(tables.bytes.little(UInt32.self, at: fadt.offset + 40)) == dsdt)
  }

  /// PCI Firmware 3.2, 4.1.2: Linux trusts the table only if the motherboard's resources hold the range, too.
  @Test func busHasAConfigurationAndABridge() throws {
    #expect(try ACPITables(platform(), in: Self.area).tables.count == 4)
    let tables = try ACPITables(withBus(platform()), in: Self.area)
    let mcfg = try #require(tables.tables.first { String(decoding: $0[0..<4], as: UTF8.self) == "MCFG" })
    #expect(mcfg.count == 60 && mcfg.little(UInt64.self, at: 44) == 0xd020_0000)
    #expect(Array(mcfg[52..<60]) == [0, 0, 0, 0, 0, 0, 0, 0])
    let xsdt = try #require(tables.tables.last)
    let addresses = stride(from: 36, to: xsdt.count, by: 8).map { xsdt.little(UInt64.self, at: $0) }
    #expect(addresses.count == 3)
    for address in addresses {
      let offset = Int(address - Self.area.lowerBound)
      #expect(["FACP", "APIC", "MCFG"].contains(String(decoding: tables.bytes[offset..<offset + 4], as: UTF8.self)))
    }
  }

  @Test func nodesHaveProcessorsMemoryAndDistances() throws {
    var affinity = Affinity(
      try NUMALayout([NUMANode(memory: 512), NUMANode(memory: 512)], memory: 1024, processors: 2),
      ProcessorTopology(cores: 2), try MemoryMap(size: 1 << 30))
    (affinity.nodes[0].apicIDs, affinity.nodes[0].memory) = ([0, 1], [0..<(1 << 30)])
    (affinity.nodes[1].apicIDs, affinity.nodes[1].memory) = (
      [2, 300], [(1 << 30)..<(3 << 30), (4 << 30)..<(5 << 30)]
    )
    affinity.distances = [[10, 30], [31, 10]]
    var platform = platform()
    platform.affinity = affinity
    let tables = try ACPITables(platform, in: Self.area)
    func table(_ name: String) throws -> [UInt8] {
      try #require(tables.tables.first { $0.starts(with: name.utf8) })
    }
    let srat = try table("SRAT")
    #expect(srat.reduce(0, &+) == 0)
    // Header, reserved; 3 processors, an x2APIC and 3 of memory.
    #expect(srat.count == 48 + 3 * 16 + 24 + 3 * 40)
    #expect(Array(srat[64..<72]) == [0, 16, 0, 1, 1, 0, 0, 0])
    let last = srat.count - 40
    #expect(srat.little(UInt32.self, at: last + 2) == 1)
    #expect(srat.little(UInt64.self, at: last + 8) == 4 << 30 && srat.little(UInt64.self, at: last + 16) == 1 << 30)
    #expect(srat.little(UInt32.self, at: last + 28) == 1)
    let slit = try table("SLIT")
    #expect(slit.reduce(0, &+) == 0 && slit.little(UInt64.self, at: 36) == 2)
    #expect(Array(slit[44...]) == [10, 30, 31, 10])
    // The kernel finds them: both are in the XSDT.
    #expect(try table("XSDT").count == 36 + 4 * 8)
    #expect(try !ACPITables(self.platform(), in: Self.area).tables.contains { $0.starts(with: "SRAT".utf8) })
  }

  @Test func powerRegistersAreWhereTheyWerePut() throws {
    var platform = platform()
    platform.power = PowerRegisters(sleepControl: .port(0x600), sleepStatus: .port(0x601), reset: .memory(0xd020_0000))
    let fadt = try #require(try ACPITables(platform, in: Self.area).tables.first { $0[0] == 0x46 })
    #expect(fadt.count == 276)
    #expect(Array(fadt[244..<256]) == [1, 8, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0])
    #expect(Array(fadt[256..<268]) == [1, 8, 0, 1, 1, 6, 0, 0, 0, 0, 0, 0])
    #expect(Array(fadt[116..<129]) == [0, 8, 0, 1, 0, 0, 0x20, 0xd0, 0, 0, 0, 0, 1])
    #expect(fadt.little(UInt32.self, at: 112) & (1 << 20 | 1 << 10) == 1 << 20 | 1 << 10)
    #expect(PowerRegisters.sleepValue == 0x34)
  }

  @Test(arguments: [1, 64, 254, 255, 256, 1024])
  func everyProcessorIsListedOnce(count: Int) throws {
    let madt = try #require(try ACPITables(platform(processors: count), in: Self.area).tables.first { $0[0] == 0x41 })
    var ids: [UInt32] = []
    var at = 44
    while at < madt.count {
      switch madt[at] {
      case 0: ids.append(UInt32(madt[at + 3]))
      case 9: ids.append(madt.little(UInt32.self, at: at + 4))
      default: break
      }
      at += Int(madt[at + 1])
    }
    #expect(at == madt.count)
    #expect(ids == (0..<count).map(UInt32.init))
  }

  @Test func refusesWhatDoesNotFit() {
    #expect(throws: BootError.tooManyProcessors(0)) { _ = try ACPITables(platform(processors: 0), in: Self.area) }
    #expect(throws: BootError.tooManyProcessors(1025)) { _ = try ACPITables(platform(processors: 1025), in: Self.area) }
    #expect(throws: BootError.self) { _ = try ACPITables(platform(), in: 0xe_0000..<0xe_0100) }
  }

  /// The ACPI reference compiler takes each table apart and puts the DSDT together again, byte for byte.
  @Test(.needs(tool: "iasl"), arguments: [1, 300], [false, true])
  func compilerReadsEveryTable(processors: Int, hasBus: Bool) throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("novm-acpi-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    let platform = platform(processors: processors)
    for table in try ACPITables(hasBus ? withBus(platform) : platform, in: Self.area).tables {
      let name = String(decoding: table[0..<4], as: UTF8.self)
      try Data(table).write(to: directory.appendingPathComponent("\(name).aml"))
      let read = try Tool.run("iasl", ["-d", "\(name).aml"], in: directory.path, withErrors: true)
      #expect(read.status == 0, "\(read.text)")
      #expect(!read.text.contains("Error") && !read.text.contains("Warning"), "\(read.text)")
      let source = try String(contentsOf: directory.appendingPathComponent("\(name).dsl"), encoding: .utf8)
      #expect(!source.contains("Invalid") && !source.contains("Incorrect checksum"), "\(source)")
      let written = try Tool.run("iasl", ["-p", "again", "\(name).dsl"], in: directory.path, withErrors: true)
      #expect(written.status == 0, "\(written.text)")
      if name == "DSDT" {
        #expect(written.text.contains(" 0 Errors, 0 Warnings"), "\(written.text)")
        let again = [UInt8](try Data(contentsOf: directory.appendingPathComponent("again.aml")))
        #expect(Array(again[36...]) == Array(table[36...]), "\(source)")
      }
    }
  }
}
