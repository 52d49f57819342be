import Testing
import VirtioTesting

@testable import Devices

struct SerialPortTests {
  private let backend = FakeLine()
  private let interrupts = InterruptCounter()
  private let port: SerialPort

  init() { port = SerialPort(backend: backend, line: interrupts) }

  private func read(_ offset: UInt64) -> UInt8 { UInt8(port.read(offset: offset, width: 1)) }
  private func write(_ value: UInt8, _ offset: UInt64) { port.write(UInt64(value), offset: offset, width: 1) }

  @Test func transmits() {
    for byte in "ok\n".utf8 {
      #expect(read(5) & 0x60 == 0x60)
      write(byte, 0)
    }
    #expect(backend.output == Array("ok\n".utf8))
    #expect(interrupts.count == 0)
  }

  /// The probes of Linux's `autoconfig`, `autoconfig_16550a` and `serial8250_do_startup`.
  @Test func linuxFindsA16550A() {
    write(0, 1)
    #expect(read(1) & 0x0f == 0)
    write(0x0f, 1)
    #expect(read(1) & 0x0f == 0x0f)
    write(0, 1)
    write(0x10 | 0x0a, 4)  // loop, OUT2, RTS
    #expect(read(6) & 0xf0 == 0x90)
    write(0, 4)
    write(0xbf, 3)
    #expect(read(2) != 0)  // No EFR, so no 16650.
    write(0, 3)
    write(0x01, 2)
    #expect(read(2) >> 6 == 3)
    write(0x21, 2)
    #expect(read(2) >> 5 == 6)  // No 64-byte FIFO.
    write(0x40, 1)
    #expect(read(1) == 0)  // No UUE, so no XScale.
    write(0x83, 3)
    write(1, 0)
    write(0, 1)
    #expect(read(0) == 1 && read(1) == 0)
    write(0x03, 3)
    #expect(read(1) == 0)
    write(0x5a, 7)
    #expect(read(7) == 0x5a)
  }

  @Test func emptyTransmitterInterruptsOnceEach() {
    write(0x02, 1)
    #expect(interrupts.count == 1)
    #expect(read(2) == 0x02)
    #expect(read(2) == 0x01)  // Read is settled.
    // Asking again asserts it again (Linux's test for UART_BUG_THRE).
    write(0, 1)
    write(0x02, 1)
    #expect(interrupts.count == 2 && read(2) == 0x02)
    write(UInt8(ascii: "x"), 0)
    #expect(interrupts.count == 3 && read(2) == 0x02)
  }

  @Test func receives() {
    write(0x01, 2)
    write(0x01, 1)
    #expect(port.receive(Array("abc".utf8)) == 3)
    #expect(interrupts.count == 1)
    #expect(read(2) == 0xc4)
    #expect(read(5) & 1 == 1)
    #expect([read(0), read(0), read(0)] == Array("abc".utf8))
    #expect(read(5) & 1 == 0 && read(2) == 0xc1)
  }

  @Test func receiverPushesBack() {
    write(0x01, 2)
    #expect(port.receive([UInt8](repeating: 7, count: 20)) == 16)
    for _ in 0..<15 { _ = read(0) }
    #expect(backend.readied == 0)
    _ = read(0)
    #expect(backend.readied == 1)
    #expect(port.receive([1, 2, 3, 4]) == 4)
    write(0x03, 2)  // Clear the receiver.
    #expect(read(5) & 1 == 0)
  }

  @Test func withoutFIFOOneByteFits() {
    #expect(port.receive([1, 2]) == 1)
    #expect(read(0) == 1)
    #expect(backend.readied == 1)
  }

  @Test func interruptsComeByUrgency() {
    write(0x01, 2)
    #expect(port.receive([1]) == 1)
    write(0x0f, 1)
    #expect(read(2) == 0xc4)
    _ = read(0)
    #expect(read(2) == 0xc2)
    #expect(read(2) == 0xc1)
    write(0x1f, 4)  // Loopback with all outputs: RI appears.
    #expect(read(2) == 0xc0)
    #expect(read(6) & 0x0f == 0x04)
    #expect(read(2) == 0xc1)
  }

  @Test func loopsBackAndOverruns() {
    write(0x10, 4)
    write(UInt8(ascii: "a"), 0)
    write(UInt8(ascii: "b"), 0)
    #expect(backend.output.isEmpty)
    #expect(read(5) & 0x03 == 0x03)
    #expect(read(5) & 0x02 == 0)  // Reading clears it.
    #expect(read(0) == UInt8(ascii: "a"))
    // The outside is cut off meanwhile.
    #expect(port.receive([1, 2]) == 2 && read(5) & 1 == 0)
  }

  @Test func strangeAccessesDoNothing() {
    #expect(port.read(offset: 0, width: 4) == .max)
    #expect(port.read(offset: 900, width: 1) == 0xff)
    port.write(.max, offset: .max, width: 8)
    port.write(.max, offset: 5, width: 8)
    #expect(read(5) == 0x60)
  }
}

private final class FakeLine: SerialBackend {
  var output: [UInt8] = []
  var readied = 0
  func transmit(_ byte: UInt8) { output.append(byte) }
  func receiverReady() { readied += 1 }
}
