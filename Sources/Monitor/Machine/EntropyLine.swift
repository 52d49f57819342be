import Devices
import Host

/// Random bytes for the guest, perhaps no more than so many in a second.
final class EntropyLine: DevicePart {
  static let kind = DeviceKind { description, board throws(MachineError) in
    [try EntropyLine(rate: description.entropyRate, loop: board.loop)]
  }

  private let device: EntropyDevice

  private init(rate: Int?, loop: EventLoop) throws(MachineError) {
    var source: any EntropySource = HostEntropy()
    if let rate {
      do throws(Errno) { source = try RateLimitedEntropy(source, rate: rate, loop: loop) } catch {
        throw .host("timer", error)
      }
    }
    device = EntropyDevice(source: source)
  }

  func attach(to board: Board) throws(MachineError) { _ = try board.add(device, named: "entropy") }
}
