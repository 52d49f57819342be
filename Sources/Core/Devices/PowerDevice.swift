package protocol PowerHandler: AnyObject {
  /// The guest switched itself off.
  func guestPoweredOff()
  /// The guest wants to start over.
  func guestReset()
}

/// Sleep and reset registers of a hardware-reduced machine (ACPI 6.5, 4.8.3.6 and 4.8.3.7): one byte each.
///
///     0  sleep control: SLP_EN with the SLP_TYP of S5 switches off
///     1  sleep status: nothing ever wakes
///     2  reset
///
/// The values are parameters, since the tables that tell the guest of them are another's.
package final class PowerDevice: BusDevice {
  package static let sleepControl: UInt64 = 0
  package static let sleepStatus: UInt64 = 1
  package static let reset: UInt64 = 2
  package static let windowSize: UInt64 = 3

  private let handler: any PowerHandler
  private let sleepValue: UInt8
  private let resetValue: UInt8

  /// - Parameters:
  ///   - sleepValue: SLP_EN and the SLP_TYP of S5, as written to sleep control.
  ///   - resetValue: as written to reset.
  package init(handler: any PowerHandler, sleepValue: UInt8, resetValue: UInt8) {
    self.handler = handler
    self.sleepValue = sleepValue
    self.resetValue = resetValue
  }

  package func read(offset: UInt64, width: Int) -> UInt64 { 0 }

  package func write(_ value: UInt64, offset: UInt64, width: Int) {
    let value = UInt8(truncatingIfNeeded: value)
    switch offset {
    case Self.sleepControl where value == sleepValue: handler.guestPoweredOff()
    case Self.reset where value == resetValue: handler.guestReset()
    default: break
    }
  }
}
