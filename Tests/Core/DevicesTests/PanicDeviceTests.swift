import Testing

@testable import Devices

struct PanicDeviceTests {
  @Test func reportsWhatItIsTold() {
    let handler = Recorder()
    let device = PanicDevice(handler: handler)
    #expect(device.read(offset: 0, width: 1) == 3)
    #expect(device.read(offset: 1, width: 1) == 0)
    device.write(0, offset: 0, width: 1)
    device.write(0xfc, offset: 0, width: 1)
    device.write(1, offset: 1, width: 1)
    #expect(handler.heard.isEmpty)
    device.write(1, offset: 0, width: 1)
    device.write(2, offset: 0, width: 1)
    device.write(3, offset: 0, width: 1)
    #expect(handler.heard == [.panicked, .crashLoaded, .panicked])
  }
}

private final class Recorder: PanicHandler {
  var heard: [GuestPanic] = []
  func guestPanicked(_ panic: GuestPanic) { heard.append(panic) }
}
