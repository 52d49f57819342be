import PCI
import Synchronization

/// The interrupts of a device on a bus: a message for each queue and one for its configuration, as the driver assigns
/// them, and the register that tells the reason where messages are off (Virtio 1.2, 4.1.4.5 and 4.1.5.1.2).
final class PCIInterrupt: DeviceInterrupt {
  /// The driver's word for no vector, and ours for one that there is not (4.1.5.1.2).
  static let noVector: UInt16 = 0xffff

  let table: MSIXTable
  private let configurationVector = Vector()
  private let queueVectors: [Vector]
  private let reasons = Atomic<UInt32>(0)

  /// A register which the driver writes and whoever signals reads.
  private final class Vector {
    let number = Atomic<UInt16>(noVector)
  }

  init(queueCount: Int, table: MSIXTable) {
    self.table = table
    queueVectors = (0..<queueCount).map { _ in Vector() }
  }

  func signal(queue: Int) {
    // There is no pin: a driver without messages reads the register when it likes.
    guard table.isEnabled else { return note(Reason.usedBuffer) }
    table.signal(Int(queueVectors[queue].number.load(ordering: .acquiring)))
  }

  func signalConfiguration() {
    note(Reason.configurationChange)
    table.signal(Int(configurationVector.number.load(ordering: .acquiring)))
  }

  func reset() {
    for vector in queueVectors { vector.number.store(Self.noVector, ordering: .releasing) }
    configurationVector.number.store(Self.noVector, ordering: .releasing)
    reasons.store(0, ordering: .sequentiallyConsistent)
    table.clearPending()
  }

  /// Reads the reasons, and with that forgets them.
  func takeReasons() -> UInt32 { reasons.exchange(0, ordering: .sequentiallyConsistent) }

  /// The reasons that no driver has read yet, of a state.
  var unreadReasons: UInt32 {
    get { reasons.load(ordering: .sequentiallyConsistent) }
    set { reasons.store(newValue, ordering: .sequentiallyConsistent) }
  }

  var hasReasons: Bool { reasons.load(ordering: .sequentiallyConsistent) != 0 }

  /// The vector of a queue, or with nil of the configuration.
  func vector(ofQueue queue: Int?) -> UInt16 { register(queue).number.load(ordering: .acquiring) }

  /// Assigns a vector; one that there is not becomes none, and the driver sees that.
  func assign(_ vector: UInt16, toQueue queue: Int?) {
    register(queue).number.store(Int(vector) < table.count ? vector : Self.noVector, ordering: .releasing)
  }

  private func register(_ queue: Int?) -> Vector { queue.map { queueVectors[$0] } ?? configurationVector }

  private func note(_ reason: UInt32) { _ = reasons.bitwiseOr(reason, ordering: .sequentiallyConsistent) }

  /// Bits of the ISR status (4.1.4.5).
  private enum Reason {
    static let usedBuffer: UInt32 = 1
    static let configurationChange: UInt32 = 2
  }
}
