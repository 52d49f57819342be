import AgentProtocol
import Host

/// Turns the process's signals into wishes to the machine.
///
/// SIGTERM and SIGINT ask the guest to power off, a second one ends the machine; SIGQUIT reports what the vCPUs are at.
final class SignalWatch: EventHandler {
  /// The signals that a machine takes; to be blocked before any thread starts.
  static let signals: [Int32] = [SignalWatch.interrupt, SignalWatch.quit, SignalWatch.terminate]

  private static let interrupt: Int32 = 2
  private static let quit: Int32 = 3
  private static let terminate: Int32 = 15

  private let descriptor: FileDescriptor
  private let machine: Machine
  private let report: (String) -> Void
  private var isAsked = false

  /// - Parameters:
  ///   - descriptor: of `Signals.capture`.
  ///   - report: takes lines for the machine's operator.
  init(
    _ descriptor: consuming FileDescriptor, _ machine: Machine, report: @escaping (String) -> Void
  ) throws(Errno) {
    self.descriptor = descriptor
    self.machine = machine
    self.report = report
    try machine.loop.add(self.descriptor.raw, .readable, self, isAlways: true)
  }

  func ready(_ events: EventLoop.Events) {
    while let number = Signals.next(descriptor) {
      switch number {
      case Self.quit: machine.reportVCPUs(report)
      case _ where isAsked: machine.end(.ended(signal: number))
      default:
        isAsked = true
        report("asking the guest to power off; once more ends it")
        machine.askToPowerOff()
      }
    }
  }
}
