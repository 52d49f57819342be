import Synchronization

/// An edge-triggered interrupt input of the guest's interrupt controller.
package protocol InterruptLine: AnyObject {
  func raise()
}

/// The interrupt of a memory-mapped device, with the register that says why (Virtio 1.2, 4.2.2: InterruptStatus).
package final class MMIOInterrupt: DeviceInterrupt {
  private static let usedBuffer: UInt32 = 1
  private static let configurationChange: UInt32 = 2

  private let reasons = Atomic<UInt32>(0)
  private let line: any InterruptLine
  private let shown: ShownRegisters?

  package init(line: any InterruptLine, shown: ShownRegisters? = nil) {
    self.line = line
    self.shown = shown
  }

  package func signal(queue: Int) { raise(Self.usedBuffer) }

  func signalConfiguration() { raise(Self.configurationChange) }

  var status: UInt32 { reasons.load(ordering: .sequentiallyConsistent) }

  func acknowledge(_ bits: UInt32) {
    _ = reasons.bitwiseAnd(~bits, ordering: .sequentiallyConsistent)
    show()
  }

  /// Reasons that the driver has not acknowledged, of a state; nothing is raised.
  func restore(_ status: UInt32) {
    reasons.store(status, ordering: .sequentiallyConsistent)
    show()
  }

  func reset() {
    reasons.store(0, ordering: .sequentiallyConsistent)
    show()
  }

  private func raise(_ reason: UInt32) {
    let (old, _) = reasons.bitwiseOr(reason, ordering: .sequentiallyConsistent)
    if old & reason == 0 { show() }
    line.raise()
  }

  private func show() { shown?.store(at: MMIOTransport.interruptStatusOffset) { status } }
}
