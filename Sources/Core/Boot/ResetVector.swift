import LittleEndian

/// What a guest finds that restarts "through the BIOS": code at the reset vector that resets the machine.
///
/// Linux (built with EFI support, as distributions' kernels are) takes every hardware-reduced machine for one with EFI
/// and asks EFI to reset it, never the ACPI register; without EFI it goes on to real mode and jumps to F000:FFF0
/// (arch/x86/kernel/reboot.c, `reboot_init` and `native_machine_emergency_restart`). With nothing there, a panicked
/// guest would run on through zeroes for ever.
enum ResetVector {
  /// Sixteen bytes at most: the first MiB ends behind them. For real mode, with CS = 0xf000.
  static func bytes(_ power: PowerRegisters?) -> [UInt8] {
    if case .port(let port)? = power?.reset {
      var code: [UInt8] = [0xb0, PowerRegisters.resetValue, 0xba]  // mov al, value; mov dx, port
      code.append(field: port)
      code.append(contentsOf: [0xee, 0xf4, 0xeb, 0xfd])  // out dx, al; hlt; jmp to the hlt
      return code
    }
    // Registers in memory are out of real mode's reach: an empty interrupt table and an exception shut the processor
    // down.
    return [0x2e, 0x0f, 0x01, 0x1e, 0xf7, 0xff, 0xcc] + [0, 0, 0, 0, 0, 0]  // lidt cs:[0xfff7]; int3; limit 0, base 0
  }
}
