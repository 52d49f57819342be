import Testing

@testable import Devices

struct PowerDeviceTests {
  @Test func onlyTheRightValuesCount() {
    let handler = Recorder()
    let device = PowerDevice(handler: handler, sleepValue: 0x34, resetValue: 1)
    for value in 0...255 as ClosedRange<UInt64> where value != 0x34 { device.write(value, offset: 0, width: 1) }
    for value in 0...255 as ClosedRange<UInt64> { device.write(value, offset: 1, width: 1) }
    for value in 0...255 as ClosedRange<UInt64> where value != 1 { device.write(value, offset: 2, width: 1) }
    #expect(handler.heard.isEmpty)
    device.write(0x34, offset: 0, width: 1)
    device.write(1, offset: 2, width: 1)
    #expect(handler.heard == ["off", "reset"])
    #expect(device.read(offset: 1, width: 1) == 0)
  }
}

private final class Recorder: PowerHandler {
  var heard: [String] = []
  func guestPoweredOff() { heard.append("off") }
  func guestReset() { heard.append("reset") }
}
