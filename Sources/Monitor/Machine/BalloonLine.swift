import Devices
import GuestMemory
import Host

/// A machine's balloon: what the guest gives goes to the host. Everything here belongs to the event loop's thread.
final class BalloonLine: BalloonBackend, DevicePart {
  static let kind = DeviceKind { description, board throws(MachineError) in
    description.hasBalloon ? [try BalloonLine(board.memory, loop: board.loop)] : []
  }

  /// How long a guest may take to tell its statistics, in nanoseconds; then what it told before counts.
  private static let patience: UInt64 = 1_000_000_000

  private(set) var device: BalloonDevice!
  private let memory: GuestMemory
  private var timer: Timer?
  private var slot: VirtioSlot?
  private var waiting: [() -> Void] = []

  init(_ memory: GuestMemory, loop: EventLoop) throws(MachineError) {
    self.memory = memory
    device = BalloonDevice(memory: memory, backend: self)
    do throws(Errno) {
      timer = try Timer(loop) { [self] in statisticsCame() }
    } catch {
      throw .host("timer", error)
    }
  }

  func attach(to board: Board) throws(MachineError) { slot = try board.add(device, named: "balloon") }

  func obey(_ order: ControlOrder, _ client: ControlClient) -> Bool {
    guard case .balloon(let size) = order else { return false }
    if let size, !inflate(to: size) {
      client.answer("refused the machine has no more than \(memory.size) bytes of memory")
    } else {
      report { client.answer($0) }
    }
    return true
  }

  func release(_ slice: GuestSlice) {
    // Files lie behind a window, and they are not the guest's.
    guard !slice.isWindow else { return }
    // RAM is private memory of this process, mapped for the machine's life; the guest has said that it has no use for it.
    unsafe HostMemory.release(slice.hostBytes)
  }

  func statisticsCame() {
    let calls = waiting
    waiting = []
    for call in calls { call() }
  }

  /// Asks the guest for so many bytes in all.
  ///
  /// - Returns: false for more than it has.
  func inflate(to bytes: UInt64) -> Bool {
    guard bytes < memory.size else { return false }
    device.target = bytes
    slot?.configurationChanged()
    return true
  }

  /// Tells how it is: what the guest is asked for, has given, and says of its memory.
  ///
  /// - Parameter tell: called once, on the loop's thread.
  func report(_ tell: @escaping (String) -> Void) {
    waiting.append { [self] in
      var words = ["balloon \(device.target) \(device.actual)"]
      let values = device.statistics
      for (name, value) in [
        ("total", values.total), ("free", values.free), ("available", values.available), ("caches", values.caches),
      ] {
        if let value { words.append("\(name)=\(value)") }
      }
      tell(words.joined(separator: " "))
    }
    guard waiting.count == 1 else { return }
    if device.askForStatistics() { timer?.start(nanoseconds: Self.patience) } else { statisticsCame() }
  }
}
