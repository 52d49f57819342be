import LittleEndian
import Testing

@testable import Firmware

@Suite struct BootInformationTests {
  private func regions(_ boot: BootInformation, _ memory: FakeMemory) -> [BootInformation.Region] {
    var all: [BootInformation.Region] = []
    boot.forEachRegion(memory) { all.append($0) }
    return all
  }

  private func modules(_ boot: BootInformation, _ memory: FakeMemory) -> [BootInformation.Module] {
    var all: [BootInformation.Module] = []
    boot.forEachModule(memory) { all.append($0) }
    return all
  }

  private func words(_ text: Text?, _ memory: FakeMemory) -> [String] {
    var all: [String] = []
    text?.forEachWord(memory) { word in
      all.append(String(decoding: (0..<word.count).map { memory.byte(at: word.address + UInt64($0))! }, as: UTF8.self))
    }
    return all
  }

  @Test func multiboot1() throws {
    var memory = FakeMemory()
    memory.put([UInt8](repeating: 0, count: 88), at: 0x9000)
    memory.put(UInt32(1 << 2 | 1 << 3 | 1 << 6), at: 0x9000)
    memory.put(UInt32(0xa000), at: 0x9010)
    memory.put("nohv  serial vga", at: 0xa000)
    memory.put(UInt32(2), at: 0x9014)
    memory.put(UInt32(0xb000), at: 0x9018)
    memory.put(littleEndian(UInt32(0x10_0000)) + littleEndian(UInt32(0x10_0800)), at: 0xb000)
    memory.put(littleEndian(UInt32(0xc000)) + littleEndian(UInt32(0)), at: 0xb008)
    memory.put("root a", at: 0xc000)
    // Ends before it starts.
    memory.put(littleEndian(UInt32(0x20_0000)) + littleEndian(UInt32(0x1f_0000)), at: 0xb010)
    memory.put(littleEndian(UInt64(0)), at: 0xb018)
    memory.put(UInt32(2 * 24), at: 0x902c)
    memory.put(UInt32(0xd000), at: 0x9030)
    for (place, address, type) in [(0xd000, 0, 1), (0xd018, 0x10_0000, 2)] as [(UInt64, UInt64, UInt32)] {
      memory.put(littleEndian(UInt32(20)) + littleEndian(address) + littleEndian(UInt64(0x8_0000)), at: place)
      memory.put(type, at: place + 20)
    }
    let boot = try #require(BootInformation(magic: 0x2bad_b002, at: 0x9000, memory))
    #expect(words(boot.commandLine, memory) == ["nohv", "serial", "vga"])
    #expect(
      regions(boot, memory) == [
        .init(address: 0, size: 0x8_0000, type: 1), .init(address: 0x10_0000, size: 0x8_0000, type: 2),
      ])
    let found = modules(boot, memory)
    #expect(found.count == 1)
    #expect(found.first?.end == 0x10_0800)
    #expect(words(found.first?.commandLine, memory) == ["root", "a"])
  }

  @Test func multiboot2() throws {
    var memory = FakeMemory()
    var tags: [UInt8] = []
    func tag(_ type: UInt32, _ body: [UInt8]) {
      tags += littleEndian(type) + littleEndian(UInt32(8 + body.count)) + body
      while tags.count % 8 != 0 { tags.append(0) }
    }
    tag(1, Array("serial\0".utf8))
    tag(3, littleEndian(UInt32(0x1000)) + littleEndian(UInt32(0x2000)) + Array("root\0".utf8))
    let range = littleEndian(UInt64(0x10_0000)) + littleEndian(UInt64(0x100_0000)) + littleEndian(UInt32(1))
    tag(6, littleEndian(UInt32(24)) + littleEndian(UInt32(0)) + range + littleEndian(UInt32(0)))
    tag(0, [])
    memory.put(littleEndian(UInt32(8 + tags.count)) + littleEndian(UInt32(0)) + tags, at: 0x8000)
    let boot = try #require(BootInformation(magic: 0x36d7_6289, at: 0x8000, memory))
    #expect(words(boot.commandLine, memory) == ["serial"])
    #expect(regions(boot, memory) == [.init(address: 0x10_0000, size: 0x100_0000, type: 1)])
    #expect(words(modules(boot, memory).first?.commandLine, memory) == ["root"])
  }

  @Test func neitherProtocol() {
    #expect(BootInformation(magic: 0x2bad_b002, at: 0x8000, FakeMemory()) == nil)
    #expect(BootInformation(magic: 1, at: 0x8000, FakeMemory()) == nil)
  }

  @Test func aRegionThatWrapsEndsWithMemory() {
    #expect(BootInformation.Region(address: .max - 1, size: 8, type: 1).end == .max)
  }

  @Test(arguments: 0..<10) func options(_ index: Int) {
    var memory = FakeMemory()
    let name = "\(Options.name(index))"
    memory.put(name + " " + name + "x", at: 0x100)
    var found: [Options?] = []
    Text(memory, at: 0x100)?.forEachWord(memory) { found.append(Options($0, memory)) }
    #expect(found == [Options(rawValue: 1 << UInt16(index)), nil])
  }
}
