import LittleEndian
import Testing

@testable import Firmware

@Suite struct TableTests {
  /// A root pointer of ACPI 2 at 0xe0010 and an XSDT of these tables.
  private func firmware(_ tables: [(String, [UInt8])]) -> FakeMemory {
    var memory = FakeMemory()
    var list: [UInt8] = []
    for (index, (signature, body)) in tables.enumerated() {
      let address = 0x20_0000 + UInt64(index) * 0x1000
      memory.putTable(signature, body, at: address)
      list += littleEndian(address)
    }
    memory.putTable("XSDT", list, at: 0x10_0000)
    var root = Array("RSD PTR \0OEMOEM".utf8) + [2] + littleEndian(UInt32(0)) + littleEndian(UInt32(36))
    root += littleEndian(UInt64(0x10_0000)) + [0, 0, 0, 0]
    root[8] = 0 &- root[..<20].reduce(0, &+)
    root[32] = 0 &- root.reduce(0, &+)
    memory.put(root, at: 0xe0010)
    return memory
  }

  @Test func processorsAndInterrupts() throws {
    var body = littleEndian(UInt32(0xfee0_0000)) + littleEndian(UInt32(1))
    body += [0, 8, 7, 3] + littleEndian(UInt32(1))
    body += [1, 12, 2, 0] + littleEndian(UInt32(0xfec0_0000)) + littleEndian(UInt32(24))
    body += [2, 10, 0, 0] + littleEndian(UInt32(2)) + littleEndian(UInt16(5))
    body += [9, 16, 0, 0] + littleEndian(UInt32(0x100)) + littleEndian(UInt32(0)) + littleEndian(UInt32(9))
    // One that is longer than the table.
    body += [0, 8, 1]
    let memory = firmware([("FACP", []), ("APIC", body)])
    let root = try #require(RootPointer.search(memory))
    let table = try #require(root.find("APIC", memory))
    var entries: [InterruptControllers.Entry] = []
    InterruptControllers.forEach(table, memory) { entries.append($0) }
    #expect(
      entries == [
        .processor(apic: 3, uid: 7, enabled: true), .input(id: 2, address: 0xfec0_0000, base: 24),
        .override(source: 0, gsi: 2, flags: 5), .processor(apic: 0x100, uid: 9, enabled: false),
      ])
    #expect(InterruptControllers.localAddress(table, memory) == 0xfee0_0000)
    #expect(root.find("MCFG", memory) == nil)
  }

  @Test func aTableThatDoesNotSumUpIsNone() {
    var memory = FakeMemory()
    memory.putTable("APIC", [1, 2, 3], at: 0x1000)
    #expect(Table(memory, at: 0x1000) != nil)
    memory.put([9], at: 0x1000 + 36)
    #expect(Table(memory, at: 0x1000) == nil)
    #expect(Table(memory, at: 0) == nil)
  }

  @Test func timers() throws {
    var fixed = [UInt8](repeating: 0, count: 100)
    fixed.put(UInt32(0x608), at: 40)
    fixed.put(UInt32(1 << 8), at: 76)
    var event = [UInt8](repeating: 0, count: 20)
    event.put(UInt64(0xfed0_0000), at: 8)
    let memory = firmware([("FACP", fixed), ("HPET", event)])
    let root = try #require(RootPointer.search(memory))
    let description = try #require(root.find("FACP", memory).flatMap { FixedDescription($0, memory) })
    #expect(description.timerPort == 0x608 && description.timerIsWide)
    #expect(root.find("HPET", memory).flatMap { EventTimer.address($0, memory) } == 0xfed0_0000)
  }

  @Test func configurationPages() throws {
    var body = [UInt8](repeating: 0, count: 8)
    body += littleEndian(UInt64(0xb000_0000)) + littleEndian(UInt16(0)) + [1, 2] + [0, 0, 0, 0]
    let memory = firmware([("MCFG", body)])
    let table = try #require(RootPointer.search(memory)?.find("MCFG", memory))
    var spaces: [ConfigurationSpace] = []
    ConfigurationSpace.forEach(table, memory) { spaces.append($0) }
    let space = try #require(spaces.first)
    #expect(spaces.count == 1)
    #expect(space.requester(of: 0xb000_0000 + 3 << 12) == 0x103)
    #expect(space.requester(of: 0xb020_0000) == nil)
    #expect(space.requester(of: 0xafff_f000) == nil)
  }
}
