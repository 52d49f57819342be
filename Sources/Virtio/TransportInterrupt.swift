import Synchronization

/// An edge-triggered interrupt input of the guest's interrupt controller.
package protocol InterruptLine: AnyObject {
  func raise()
}

/// The interrupt of a memory-mapped device, with the register that says why (Virtio 1.2, 4.2.2: InterruptStatus).
package final class TransportInterrupt: QueueInterrupt {
  private static let usedBuffer: UInt32 = 1
  private static let configurationChange: UInt32 = 2

  private let reasons = Atomic<UInt32>(0)
  private let line: any InterruptLine

  package init(line: any InterruptLine) { self.line = line }

  package func signal(queue: Int) { raise(Self.usedBuffer) }

  func signalConfiguration() { raise(Self.configurationChange) }

  var status: UInt32 { reasons.load(ordering: .sequentiallyConsistent) }

  func acknowledge(_ bits: UInt32) {
    _ = reasons.bitwiseAnd(~bits, ordering: .sequentiallyConsistent)
  }

  func reset() { reasons.store(0, ordering: .sequentiallyConsistent) }

  private func raise(_ reason: UInt32) {
    _ = reasons.bitwiseOr(reason, ordering: .sequentiallyConsistent)
    line.raise()
  }
}
