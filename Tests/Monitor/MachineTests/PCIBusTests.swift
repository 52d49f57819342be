import PCI
import Testing

@testable import Machine

struct PCIBusTests {
  private let bus = PCIBus(0x1_0000_0000..<0x1_4000_0000)
  private let configuration: PCIConfigurationWindow
  private let memory: PCIMemoryWindow
  private let functions = [Echo(1), Echo(2)]

  init() {
    configuration = PCIConfigurationWindow(bus)
    memory = PCIMemoryWindow(bus, base: 0xe000_0000)
    for (device, function) in functions.enumerated() { bus.add(function, at: device) }
  }

  @Test func functionsHaveDeviceNumbers() {
    #expect(configuration.read(offset: 0x44, width: 4) == 0x0001_0044)
    #expect(configuration.read(offset: 1 << 15 | 0x44, width: 2) == 0x0002_0044)
    #expect(configuration.read(offset: 1 << 15 | 0x40, width: 8) == 0x0002_0044_0002_0040)
    configuration.write(0x1122_3344_5566_7788, offset: 1 << 15 | 0x10, width: 8)
    #expect(functions[1].writes == [[0x10, 4, 0x5566_7788], [0x14, 4, 0x1122_3344]] && functions[0].writes.isEmpty)
  }

  @Test(arguments: [2 << 15, 31 << 15, 1 << 12, 1 << 15 | 7 << 12, 0xf_fffc] as [UInt64])
  func whereNoneIsReadsGiveOnes(offset: UInt64) {
    #expect(configuration.read(offset: offset, width: 4) & 0xffff_ffff == 0xffff_ffff)
    configuration.write(0, offset: offset, width: 4)
    #expect(functions.allSatisfy { $0.writes.isEmpty })
  }

  @Test func regionsAnswerWhereTheyWerePut() throws {
    let region = BaseAddress(index: 0, size: 0x4000)
    let address = try bus.address(of: 1, size: region.size)
    #expect(memory.read(offset: 0x10, width: 4) == .max)
    #expect(bus.move(region, of: functions[1], to: address) == address)
    memory.write(7, offset: address - 0xe000_0000 + 8, width: 2)
    #expect(functions[1].writes == [[0, 8, 2, 7]])
    #expect(memory.read(offset: address - 0xe000_0000 + 8, width: 1) == 8)
    // What an access would only begin in, does not answer.
    #expect(memory.read(offset: address - 0xe000_0000 + 0x3ffe, width: 4) == .max)
    #expect(bus.move(region, of: functions[1], to: 0xd020_0000) == nil)
    #expect(memory.read(offset: address - 0xe000_0000 + 8, width: 1) == .max)
    #expect(bus.move(region, of: Echo(3), to: address) == nil)
  }

  /// A device's registers are where its number says, whatever else is there.
  @Test func addressesFollowFromNumbers() throws {
    for device in 0..<32 {
      #expect(try bus.address(of: device, size: 0x4000) == 0xe000_0000 + 0x4000 * UInt64(device))
    }
    #expect(throws: MachineError.self) { try bus.address(of: 32, size: 0x4000) }
    #expect(throws: MachineError.self) { try bus.address(of: 2, size: 0x800_0000) }
  }

  @Test func numbersMayBeLeftOut() {
    bus.add(Echo(9), at: 9)
    #expect(configuration.read(offset: 9 << 15 | 0x44, width: 4) == 0x0009_0044)
    #expect(configuration.read(offset: 8 << 15 | 0x44, width: 4) & 0xffff_ffff == 0xffff_ffff)
  }
}

/// Notes what is written, and tells what is read.
private final class Echo: PCIFunction {
  private let number: UInt32
  private(set) var writes: [[UInt64]] = []

  init(_ number: UInt32) { self.number = number }

  func readConfiguration(at offset: Int, width: Int) -> UInt32 { number << 16 | UInt32(offset) }
  func writeConfiguration(_ value: UInt32, at offset: Int, width: Int) {
    writes.append([UInt64(offset), UInt64(width), UInt64(value)])
  }
  func read(region: Int, at offset: UInt64, width: Int) -> UInt64 { offset }
  func write(_ value: UInt64, region: Int, at offset: UInt64, width: Int) {
    writes.append([UInt64(region), offset, UInt64(width), value])
  }
}
