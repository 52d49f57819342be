import LittleEndian

/// The registers by which a hardware-reduced machine is switched off and reset (ACPI 6.5, 4.8.3.7, 4.8.3.6 and 16.1.6),
/// each one byte wide.
///
/// - A guest that switches off first writes 0x80 (WAK_STS) to `sleepStatus`, to clear it, and then `sleepValue` to
///   `sleepControl`. Reads of either answer 0.
/// - A guest that reboots writes `resetValue` to `reset`.
///
/// They may share one address: no value means two things.
package struct PowerRegisters: Equatable {
  package var sleepControl: Register
  package var sleepStatus: Register
  package var reset: Register

  /// SLP_TYP for S5, as the `\_S5` object states it.
  package static let sleepType: UInt8 = 5
  /// SLP_EN with SLP_TYP 5: power off.
  package static let sleepValue: UInt8 = 1 << 5 | sleepType << 2
  package static let resetValue: UInt8 = 1

  package enum Register: Equatable {
    case port(UInt16)
    case memory(UInt64)

    /// A generic address structure (5.2.3.2).
    var generic: [UInt8] {
      var bytes: [UInt8]
      switch self {
      case .port(let port):
        bytes = [1, 8, 0, 1]  // system I/O, eight bits from bit 0, accessed as a byte
        bytes.append(field: UInt64(port))
      case .memory(let address):
        bytes = [0, 8, 0, 1]
        bytes.append(field: address)
      }
      return bytes
    }
  }

  package init(sleepControl: Register, sleepStatus: Register, reset: Register) {
    self.sleepControl = sleepControl
    self.sleepStatus = sleepStatus
    self.reset = reset
  }

  /// All three at one address.
  package init(at register: Register) { self.init(sleepControl: register, sleepStatus: register, reset: register) }
}
