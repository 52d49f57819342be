import Devices
import GuestMemory
import Host

/// The host's end of the virtio console. On the event loop's thread.
final class ConsoleLine: ConsoleBackend, DevicePart {
  static let kind = DeviceKind { description, board throws(MachineError) in
    guard let output = description.console else { return [] }
    return [ConsoleLine(try output.open(), loop: board.loop)]
  }

  private static let readSize = 1024

  /// The device that it belongs to, which is made after it.
  var device: ConsoleDevice?

  private let loop: EventLoop
  private let channel: TextChannel
  private let outputWait = Wait()
  private let inputWait = Wait()

  /// - Parameter channel: its two descriptors must differ, since each is waited for on its own.
  init(_ channel: consuming TextChannel, loop: EventLoop) {
    self.channel = channel
    self.loop = loop
    outputWait.line = self
    inputWait.line = self
  }

  func attach(to board: Board) throws(MachineError) {
    let device = ConsoleDevice(backend: self)
    self.device = device
    _ = try board.add(device, named: "console")
  }

  func write(_ slices: [GuestSlice], from offset: Int) -> Int {
    var taken = 0
    var isBlocked = false
    slices.forEachPiece(from: offset, count: .max) { piece in
      var start = 0
      while !isBlocked, start < piece.count {
        if let count = channel.write(piece.dropping(start, count: Self.readSize).bytes().span) {
          start += count
        } else {
          isBlocked = true
        }
      }
      taken += start
    }
    if isBlocked { outputWait.arm(loop, channel.output, .writable) }
    return taken
  }

  func read(into slices: [GuestSlice]) -> Int {
    guard let bytes = channel.read(count: min(slices.byteCount, Self.readSize)) else { return 0 }
    if bytes.isEmpty, let input = channel.input { inputWait.arm(loop, input, .readable) }
    return slices.copy(from: bytes)
  }

  fileprivate func ended(_ wait: Wait) {
    if wait === inputWait { device?.inputReady() } else { device?.outputReady() }
  }
}

/// Waits once for a descriptor, so that nothing spins while the guest has no buffers.
private final class Wait: EventHandler {
  var line: ConsoleLine?
  private var armed: (loop: EventLoop, descriptor: Int32)?

  func arm(_ loop: EventLoop, _ descriptor: Int32, _ events: EventLoop.Events) {
    guard armed == nil else { return }
    do throws(Errno) {
      try loop.add(descriptor, events, self)
      armed = (loop, descriptor)
    } catch {
      // A regular file (EPERM): always ready, so never waited for.
    }
  }

  func ready(_ events: EventLoop.Events) {
    if let armed { armed.loop.remove(armed.descriptor) }
    armed = nil
    line?.ended(self)
  }
}
