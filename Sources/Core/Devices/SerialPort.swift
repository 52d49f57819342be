package import State
package import Virtio

/// The host's end of a serial line.
package protocol SerialBackend: AnyObject {
  /// The guest sends a byte.
  func transmit(_ byte: UInt8)

  /// The receiver has room again after `receive` took less than it was given.
  func receiverReady()
}

/// A 16550A UART, as far as a driver can tell without a clock: whatever is sent is gone at once.
///
/// Not for several threads at once: whoever puts it on a bus of several vCPUs, or feeds it input, holds one lock around it.
///
/// The interrupt is edge-triggered: raised whenever a cause appears, so a driver must read causes until there are none
/// (which drivers for ISA ports do).
package final class SerialPort: BusDevice {
  /// Ports from the base on.
  package static let windowSize: UInt64 = 8
  /// The port to which what is to be sent is written, one byte each time.
  package static let transmitOffset: UInt64 = 0
  /// The receiver's FIFO, in bytes.
  package static let fifoSize = 16

  private let backend: any SerialBackend
  private let line: any InterruptLine

  private var divisor: UInt16 = 12  // 9600 baud; kept for the driver to read back, of no effect.
  private var interruptEnable: UInt8 = 0
  private var lineControl: UInt8 = LineControl.eightBits
  private var modemControl: UInt8 = 0
  private var modemDelta: UInt8 = 0
  private var scratch: UInt8 = 0
  private var hasFIFO = false
  private var hasOverrun = false
  /// The transmitter became empty and the driver has not been told yet.
  private var transmitterEmptied = false
  /// The receiver's bytes, oldest first.
  private var received: [UInt8] = []
  private var isBackendWaiting = false

  package init(backend: any SerialBackend, line: any InterruptLine) {
    self.backend = backend
    self.line = line
    received.reserveCapacity(Self.fifoSize)
  }

  // MARK: The line

  /// Bytes come in over the line.
  ///
  /// - Returns: how many fit; for the rest, `receiverReady` tells when to try again.
  package func receive(_ bytes: [UInt8]) -> Int {
    guard modemControl & ModemControl.loopback == 0 else { return bytes.count }  // Cut off, as on the chip.
    let count = min(bytes.count, room)
    for byte in bytes.prefix(count) { received.append(byte) }
    if count < bytes.count { isBackendWaiting = true }
    if count > 0 { raise(InterruptEnable.receivedData) }
    return count
  }

  private var room: Int { max((hasFIFO ? Self.fifoSize : 1) - received.count, 0) }

  // MARK: The bus

  package func read(offset: UInt64, width: Int) -> UInt64 {
    guard width == 1 else { return ~0 }
    return UInt64(read(offset))
  }

  package func write(_ value: UInt64, offset: UInt64, width: Int) {
    // A wider access reaches only the port that it names.
    write(UInt8(truncatingIfNeeded: value), offset)
  }

  private func read(_ offset: UInt64) -> UInt8 {
    switch offset {
    case 0: return isDivisorLatched ? UInt8(truncatingIfNeeded: divisor) : takeReceived()  // RBR
    case 1: return isDivisorLatched ? UInt8(truncatingIfNeeded: divisor >> 8) : interruptEnable  // IER
    case 2: return identifyInterrupt()  // IIR
    case 3: return lineControl  // LCR
    case 4: return modemControl  // MCR
    case 5: return takeLineStatus()  // LSR
    case 6: return takeModemStatus()  // MSR
    case 7: return scratch  // SCR
    default: return 0xff
    }
  }

  private func write(_ value: UInt8, _ offset: UInt64) {
    switch offset {
    case 0 where isDivisorLatched: divisor = divisor & 0xff00 | UInt16(value)
    case 0: transmit(value)  // THR
    case 1 where isDivisorLatched: divisor = divisor & 0x00ff | UInt16(value) << 8
    case 1: enableInterrupts(value)  // IER
    case 2: controlFIFO(value)  // FCR
    case 3: lineControl = value  // LCR
    case 4: controlModem(value)  // MCR
    case 7: scratch = value  // SCR
    default: break
    }
  }

  private var isDivisorLatched: Bool { lineControl & LineControl.divisorLatch != 0 }

  private func transmit(_ byte: UInt8) {
    if modemControl & ModemControl.loopback == 0 {
      backend.transmit(byte)
    } else if room > 0 {
      received.append(byte)
      raise(InterruptEnable.receivedData)
    } else {
      hasOverrun = true
      raise(InterruptEnable.lineStatus)
    }
    transmitterEmptied = true
    raise(InterruptEnable.transmitterEmpty)
  }

  private func takeReceived() -> UInt8 {
    guard !received.isEmpty else { return 0 }
    let byte = received.removeFirst()
    if received.isEmpty, isBackendWaiting {
      isBackendWaiting = false
      backend.receiverReady()
    }
    return byte
  }

  private func takeLineStatus() -> UInt8 {
    var status = LineStatus.holdingEmpty | LineStatus.transmitterEmpty
    if !received.isEmpty { status |= LineStatus.dataReady }
    if hasOverrun { status |= LineStatus.overrun }
    hasOverrun = false
    return status
  }

  /// Input lines, with what changed since the last read: a terminal is always there, or, looped back, what MCR drives.
  private func takeModemStatus() -> UInt8 {
    let status = modemLines | modemDelta
    modemDelta = 0
    return status
  }

  private var modemLines: UInt8 {
    guard modemControl & ModemControl.loopback != 0 else {
      return ModemStatus.clearToSend | ModemStatus.dataSetReady | ModemStatus.carrier
    }
    // DTR to DSR, RTS to CTS, OUT1 to RI, OUT2 to DCD.
    return (modemControl & 1) << 5 | (modemControl & 2) << 3 | (modemControl & 0xc) << 4
  }

  private func controlModem(_ value: UInt8) {
    let old = modemLines
    modemControl = value & ModemControl.implemented
    let changed = old ^ modemLines
    if changed == 0 { return }
    modemDelta |= changed >> 4
    raise(InterruptEnable.modemStatus)
  }

  private func controlFIFO(_ value: UInt8) {
    let enabled = value & FIFOControl.enable != 0
    if enabled != hasFIFO || value & FIFOControl.clearReceiver != 0 {
      received.removeAll(keepingCapacity: true)
      hasOverrun = false
      if isBackendWaiting {
        isBackendWaiting = false
        backend.receiverReady()
      }
    }
    hasFIFO = enabled
  }

  // MARK: State

  package static let tag = StateTag("uart")

  private enum Field {
    static let divisor: UInt16 = 1
    static let interruptEnable: UInt16 = 2
    static let lineControl: UInt16 = 3
    static let modemControl: UInt16 = 4
    static let modemDelta: UInt16 = 5
    static let scratch: UInt16 = 6
    static let hasFIFO: UInt16 = 7
    static let hasOverrun: UInt16 = 8
    static let transmitterEmptied: UInt16 = 9
    static let received: UInt16 = 10
  }

  package func save() -> FieldWriter {
    var fields = FieldWriter()
    fields.put(Field.divisor, divisor)
    fields.put(Field.interruptEnable, interruptEnable)
    fields.put(Field.lineControl, lineControl)
    fields.put(Field.modemControl, modemControl)
    fields.put(Field.modemDelta, modemDelta)
    fields.put(Field.scratch, scratch)
    fields.put(Field.hasFIFO, hasFIFO)
    fields.put(Field.hasOverrun, hasOverrun)
    fields.put(Field.transmitterEmptied, transmitterEmptied)
    fields.put(Field.received, received)
    return fields
  }

  /// Makes the port what it was. Input that had no room is its backend's to bring again.
  package func restore(from fields: inout FieldReader) throws(StateError) {
    divisor = try fields.number(Field.divisor)
    interruptEnable = try fields.number(Field.interruptEnable, in: 0...InterruptEnable.implemented)
    lineControl = try fields.number(Field.lineControl)
    modemControl = try fields.number(Field.modemControl, in: 0...ModemControl.implemented)
    modemDelta = try fields.number(Field.modemDelta, in: 0...0xf)
    scratch = try fields.number(Field.scratch)
    hasFIFO = try fields.flag(Field.hasFIFO)
    hasOverrun = try fields.flag(Field.hasOverrun)
    transmitterEmptied = try fields.flag(Field.transmitterEmptied)
    received = try fields.bytes(Field.received, limit: Self.fifoSize)
    received.reserveCapacity(Self.fifoSize)
    isBackendWaiting = !received.isEmpty
    // It may have been raised at what the port was before.
    if pendingCauses & interruptEnable != 0 { line.raise() }
  }

  // MARK: Interrupts

  private func enableInterrupts(_ value: UInt8) {
    let added = value & InterruptEnable.implemented & ~interruptEnable
    interruptEnable = value & InterruptEnable.implemented
    // The transmitter is always empty, so asking to hear of it is answered at once; Linux tests for that.
    if added & InterruptEnable.transmitterEmpty != 0 { transmitterEmptied = true }
    if added & pendingCauses != 0 { line.raise() }
  }

  /// Raises the line for a cause that the driver wants to hear of.
  private func raise(_ cause: UInt8) {
    if interruptEnable & cause != 0 { line.raise() }
  }

  /// Causes, enabled or not, as the bits of IER that enable them.
  private var pendingCauses: UInt8 {
    var causes: UInt8 = 0
    if hasOverrun { causes |= InterruptEnable.lineStatus }
    if !received.isEmpty { causes |= InterruptEnable.receivedData }
    if transmitterEmptied { causes |= InterruptEnable.transmitterEmpty }
    if modemDelta != 0 { causes |= InterruptEnable.modemStatus }
    return causes
  }

  /// IIR: the most urgent cause. Reading it settles the transmitter's.
  private func identifyInterrupt() -> UInt8 {
    let fifo: UInt8 = hasFIFO ? 0xc0 : 0
    let causes = pendingCauses & interruptEnable
    if causes & InterruptEnable.lineStatus != 0 { return fifo | 0x06 }
    if causes & InterruptEnable.receivedData != 0 { return fifo | 0x04 }
    if causes & InterruptEnable.transmitterEmpty != 0 {
      transmitterEmptied = false
      return fifo | 0x02
    }
    if causes & InterruptEnable.modemStatus != 0 { return fifo }
    return fifo | 0x01
  }
}

// Register bits, from the PC16550D data sheet.

private enum InterruptEnable {
  static let receivedData: UInt8 = 1 << 0
  static let transmitterEmpty: UInt8 = 1 << 1
  static let lineStatus: UInt8 = 1 << 2
  static let modemStatus: UInt8 = 1 << 3
  static let implemented: UInt8 = 0x0f
}

private enum FIFOControl {
  static let enable: UInt8 = 1 << 0
  static let clearReceiver: UInt8 = 1 << 1
}

private enum LineControl {
  static let eightBits: UInt8 = 0x03
  static let divisorLatch: UInt8 = 1 << 7
}

private enum ModemControl {
  static let loopback: UInt8 = 1 << 4
  static let implemented: UInt8 = 0x1f
}

private enum LineStatus {
  static let dataReady: UInt8 = 1 << 0
  static let overrun: UInt8 = 1 << 1
  static let holdingEmpty: UInt8 = 1 << 5
  static let transmitterEmpty: UInt8 = 1 << 6
}

private enum ModemStatus {
  static let clearToSend: UInt8 = 1 << 4
  static let dataSetReady: UInt8 = 1 << 5
  static let carrier: UInt8 = 1 << 7
}
