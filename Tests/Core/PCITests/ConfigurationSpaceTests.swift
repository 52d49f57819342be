import Testing

@testable import PCI

struct ConfigurationSpaceTests {
  private static let registers = BaseAddress(index: 0, size: 0x4000)
  private static let window = BaseAddress(index: 2, size: 8 << 30, is64Bit: true)

  private var space = ConfigurationSpace(
    FunctionIdentity(
      vendor: 0x1af4, device: 0x1042, revision: 1, classCode: 0x01_8000, subsystemVendor: 0x1af4, subsystem: 0x40))

  @Test func identity() {
    #expect(space.read(at: 0, width: 4) == 0x1042_1af4)
    #expect(space.read(at: 2, width: 2) == 0x1042 && space.read(at: 3, width: 1) == 0x10)
    #expect(space.read(at: 8, width: 4) == 0x0180_0001)
    #expect(space.read(at: 0x0e, width: 1) == 0)  // Header type 0, one function.
    #expect(space.read(at: 0x2c, width: 4) == 0x0040_1af4)
    #expect(space.read(at: 0x3d, width: 1) == 0)  // No interrupt pin.
  }

  @Test mutating func identityCannotBeWritten() {
    let before = (0..<64).map { space.read(at: 4 * $0, width: 4) }
    for register in 0..<64 where register != 1 && register != 15 { space.write(.max, at: 4 * register, width: 4) }
    #expect((0..<64).map { space.read(at: 4 * $0, width: 4) } == before)
    space.write(.max, at: 4, width: 4)
    #expect(space.read(at: 4, width: 4) == 0x0406)
    space.write(.max, at: 0x3c, width: 4)
    #expect(space.read(at: 0x3c, width: 4) == 0xff)
  }

  /// 6.2.5.1: software writes ones and reads which bits stayed.
  @Test mutating func regionsTellTheirSize() {
    space.add(Self.registers, at: 0xe000_4000)
    space.add(Self.window, at: 0x2_0000_0000)
    #expect(space.read(at: 0x10, width: 4) == 0xe000_4000)
    #expect(space.read(at: 0x18, width: 4) == 0xc && space.read(at: 0x1c, width: 4) == 2)
    for register in 4..<10 { space.write(.max, at: 4 * register, width: 4) }
    #expect(space.read(at: 0x10, width: 4) == 0xffff_c000)
    #expect(space.read(at: 0x14, width: 4) == 0)
    #expect(space.read(at: 0x18, width: 4) == 0xc && space.read(at: 0x1c, width: 4) == 0xffff_fffe)
    #expect(space.read(at: 0x20, width: 4) == 0 && space.read(at: 0x24, width: 4) == 0)
  }

  @Test mutating func regionsAnswerOnceSoftwareLetsThem() {
    space.add(Self.registers, at: 0xe000_4000)
    space.add(Self.window, at: 0x2_0000_0000)
    #expect(space.address(of: Self.registers) == nil && space.address(of: Self.window) == nil)
    space.write(2, at: 4, width: 2)
    #expect(space.address(of: Self.registers) == 0xe000_4000 && space.address(of: Self.window) == 0x2_0000_0000)
    space.write(0x12, at: 0x12, width: 1)
    space.write(4, at: 0x1c, width: 1)
    #expect(space.address(of: Self.registers) == 0xe012_4000 && space.address(of: Self.window) == 0x4_0000_0000)
    space.write(0, at: 4, width: 1)
    #expect(space.address(of: Self.registers) == nil)
  }

  @Test mutating func capabilitiesAreAList() {
    #expect(space.read(at: 6, width: 2) & 0x10 == 0)
    let first = space.add(capability: 9, [16, 1, 2, 3, 4], writable: [0, 0x0f])
    let second = space.add(capability: 0x11, [5])
    #expect(space.read(at: 6, width: 2) & 0x10 != 0)
    #expect(first == 0x40 && space.read(at: 0x34, width: 1) == 0x40)
    #expect(second == 0x48 && space.read(at: 0x41, width: 1) == 0x48)
    #expect(space.read(at: 0x48, width: 4) == 0x0005_0011)
    space.write(.max, at: 0x42, width: 4)
    #expect(space.read(at: 0x42, width: 4) == 0x0302_0f10)
  }

  @Test(arguments: [-1, 0, 1, 3, 4, 8, .max])
  mutating func anyPlaceAndWidth(width: Int) {
    space.add(Self.registers, at: 0)
    for offset in [-8, -1, 0, 1, 0x11, 0xfd, 0xff, 0x100, 0xffff, .max, .min] {
      space.write(.max, at: offset, width: width)
      _ = space.read(at: offset, width: width)
    }
    #expect(space.read(at: 0xfe, width: 4) == 0 && space.read(at: 0x100, width: 4) == 0)
    #expect(space.read(at: 0, width: 4) == 0x1042_1af4)
  }
}

struct ConfigurationAddressTests {
  @Test func busDeviceFunctionRegister() {
    #expect(ConfigurationAddress(offset: 0).device == 0)
    let address = ConfigurationAddress(offset: 0xfffff)
    #expect(address.device == 31 && address.function == 7 && address.register == 0xfff)
    #expect(ConfigurationAddress(offset: 5 << 15 | 2 << 12 | 0x44).device == 5)
    #expect(ConfigurationAddress(offset: 5 << 15 | 2 << 12 | 0x44).function == 2)
    #expect(ConfigurationAddress(offset: 5 << 15 | 2 << 12 | 0x44).register == 0x44)
    #expect(ConfigurationAddress(offset: .max).device == 31)
  }
}
