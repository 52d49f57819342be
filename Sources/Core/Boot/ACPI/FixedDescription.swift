import LittleEndian

/// Fixed ACPI Description Table, hardware-reduced (ACPI 6.5, 5.2.9): hardly more than how to switch off and reset.
enum FixedDescription {
  static func table(dsdt: UInt64, power: PowerRegisters) -> [UInt8] {
    var table = ACPITable("FACP", revision: 6)
    table.body = [UInt8](repeating: 0, count: 276 - 36)
    func put<T: FixedWidthInteger & UnsignedInteger>(_ value: T, _ offset: Int) {
      table.body.put(value, at: offset - 36)
    }
    put(UInt32(truncatingIfNeeded: dsdt), 40)
    put(UInt16(101), 96)  // P_LVL2_LAT: over 100 µs says that there is no C2
    put(UInt16(1001), 98)  // P_LVL3_LAT: likewise C3
    put(BootFlags.noVGA | BootFlags.noRTC, 109)
    put(Flags.wbinvd | Flags.noPowerButton | Flags.noSleepButton | Flags.resetRegister | Flags.hardwareReduced, 112)
    table.body.put(bytes: power.reset.generic, at: 116 - 36)
    put(PowerRegisters.resetValue, 128)
    put(UInt8(5), 131)  // minor version: 6.5
    put(dsdt, 140)
    table.body.put(bytes: power.sleepControl.generic, at: 244 - 36)
    table.body.put(bytes: power.sleepStatus.generic, at: 256 - 36)
    table.body.put(bytes: Array("NOVM".utf8), at: 268 - 36)  // hypervisor vendor identity
    return table.bytes
  }

  /// IAPC_BOOT_ARCH (table 5.11): no legacy devices, no 8042, no VGA, no CMOS clock. Linux then probes for none of
  /// them.
  private enum BootFlags {
    static let noVGA: UInt16 = 1 << 2
    static let noRTC: UInt16 = 1 << 5
  }

  /// Table 5.10.
  private enum Flags {
    static let wbinvd: UInt32 = 1 << 0
    static let noPowerButton: UInt32 = 1 << 4
    static let noSleepButton: UInt32 = 1 << 5
    static let resetRegister: UInt32 = 1 << 10
    static let hardwareReduced: UInt32 = 1 << 20
  }
}
