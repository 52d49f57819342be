import Boot
import Devices

/// The sleep control, sleep status and reset registers, one byte each, in this order (ACPI 6.5, 4.8.3).
final class PowerDevice: BusDevice {
  private let ended: (Outcome) -> Void

  init(_ ended: @escaping (Outcome) -> Void) { self.ended = ended }

  func read(offset: UInt64, width: Int) -> UInt64 { 0 }

  func write(_ value: UInt64, offset: UInt64, width: Int) {
    switch (offset, UInt8(truncatingIfNeeded: value)) {
    case (0, PowerRegisters.sleepValue): ended(.poweredOff)
    case (2, PowerRegisters.resetValue): ended(.reset)
    default: break
    }
  }
}
