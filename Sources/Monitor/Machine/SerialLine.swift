import Devices
import Host
import State
import Virtio

/// A serial port with its lock, and the host's end of the line.
///
/// Output is written byte by byte as the guest sends it, so whatever a dying guest said is there; a terminal that is held
/// up holds up the guest, and nobody else.
final class SerialLine: BusDevice, DevicePart {
  static let kind = DeviceKind { description, board throws(MachineError) in
    var lines: [any DevicePart] = []
    for (output, place) in [(description.com1, Platform.com1), (description.com2, Platform.com2)] {
      guard let output else { continue }
      let interrupt = InterruptInput(board.vm, line: place.interrupt)
      lines.append(SerialLine(try output.open(), interrupt: interrupt, loop: board.loop, at: place))
    }
    return lines
  }

  private let port: SerialPort
  /// Around the port; nothing is waited for with it held.
  private let lock = Lock()
  /// Held by the vCPU that sends, for as long as the reader lets it wait.
  private let sending = Lock()
  private let wire: Wire
  private let place: Platform.SerialPlace

  init(
    _ channel: consuming TextChannel, interrupt: any InterruptLine, loop: EventLoop,
    at place: Platform.SerialPlace = Platform.com1
  ) {
    self.place = place
    wire = Wire(channel, loop: loop)
    port = SerialPort(backend: wire, line: interrupt)
    wire.line = self
    wire.watch()
  }

  func attach(to board: Board) {
    board.add(place.device) { $0.add(self, atPort: place.port, count: UInt16(SerialPort.windowSize)) }
  }

  func read(offset: UInt64, width: Int) -> UInt64 { lock.withLock { port.read(offset: offset, width: width) } }

  func write(_ value: UInt64, offset: UInt64, width: Int) {
    guard offset == SerialPort.transmitOffset else {
      return lock.withLock { port.write(value, offset: offset, width: width) }
    }
    sending.withLock {
      let byte = lock.withLock {
        port.write(value, offset: offset, width: width)
        return wire.takeSent()
      }
      if let byte { wire.send(byte) }
    }
  }

  func save(to state: inout StateWriter) {
    state.add(SerialPort.tag, instance: place.number, lock.withLock { port.save() })
  }

  func restore(from state: inout StateReader) throws(StateError) {
    var fields = try state.require(SerialPort.tag, instance: place.number)
    try port.restore(from: &fields)
    try fields.finish()
  }

  fileprivate func receive(_ bytes: [UInt8]) -> Int { lock.withLock { port.receive(bytes) } }
}

/// The far side of the port. `transmit`, `takeSent` and `receiverReady` come on vCPU threads with the line's lock held, `send`
/// with its other one, the rest on the event loop's.
private final class Wire: SerialBackend, EventHandler {
  var line: SerialLine?

  private let loop: EventLoop
  private let channel: TextChannel
  /// Input that the port has no room for.
  private var waiting: [UInt8] = []
  private var isWaited = false
  /// What the port has just sent.
  private var sent: UInt8?

  init(_ channel: consuming TextChannel, loop: EventLoop) {
    self.channel = channel
    self.loop = loop
  }

  func transmit(_ byte: UInt8) { sent = byte }

  func takeSent() -> UInt8? {
    defer { sent = nil }
    return sent
  }

  func send(_ byte: UInt8) { channel.writeBlocking(byte) }

  func receiverReady() { loop.post { [self] in feed() } }

  func ready(_ events: EventLoop.Events) { feed() }

  /// Waits for input, unless it is a regular file, which is read as the guest takes it.
  func watch() {
    guard !isWaited, let input = channel.input else { return }
    do throws(Errno) {
      try loop.add(input, .readable, self)
      isWaited = true
    } catch {
      receiverReady()
    }
  }

  /// Gives the port what there is, until one of both has enough.
  private func feed() {
    while true {
      if waiting.isEmpty {
        guard let bytes = channel.read(count: SerialPort.fifoSize) else { return pause() }
        if bytes.isEmpty { return watch() }
        waiting = bytes
      }
      let taken = line?.receive(waiting) ?? waiting.count
      waiting.removeFirst(taken)
      // The port tells when it has room again; until then the descriptor would only spin.
      if !waiting.isEmpty { return pause() }
    }
  }

  private func pause() {
    if isWaited, let input = channel.input { loop.remove(input) }
    isWaited = false
  }
}
