/// How a `novmm` process ended.
package struct MachineEnd: Equatable, Sendable {
  package enum Reason: Equatable, Sendable {
    /// The guest powered off.
    case poweredOff
    /// Something on the host was in the way; novmm's message says what.
    case hostFailure
    /// novm and novmm do not understand each other.
    case usage
    /// The guest asked for a reset.
    case reset
    /// The guest's kernel panicked.
    case panicked
    /// The guest's processor gave up.
    case tripleFault
    /// KVM reported something that no guest should be able to cause.
    case internalError
    /// novmm tried what its machine has no need of (`--confine`).
    case forbiddenCall
    /// A signal ended novmm.
    case signaled(Int32)
    case unknown(Int32)
  }

  package var reason: Reason
  /// What novmm wrote to its standard error, by lines, without its `novmm: `.
  package var messages: [String]
  /// The host's kernel ended it for more than its control group may have.
  package var ranOutOfMemory = false
  /// What the guest's kernel said last.
  package var kernelLog: [String] = []

  package init(reason: Reason, messages: [String] = [], kernelLog: [String] = []) {
    self.reason = reason
    self.messages = messages
    self.kernelLog = kernelLog
  }

  /// - Parameter status: as waitpid(2) reports it.
  init(waitStatus status: Int32, messages: [String]) {
    let signal = status & 0x7f
    self.init(reason: signal == 0 ? Reason(exitStatus: status >> 8 & 0xff) : .signaled(signal), messages: messages)
  }
}

extension MachineEnd {
  /// Why the kernel panicked, if it did, as panic() of Linux prints it.
  var panic: String? {
    let mark = "Kernel panic - not syncing: "
    // Behind it the kernel says once more what it was, with `end`.
    return kernelLog.lazy.compactMap { line in line.firstRange(of: mark).map { String(line[$0.upperBound...]) } }.first
  }
}

extension MachineEnd.Reason {
  /// novmm's exit statuses (docs/architecture.md).
  package init(exitStatus: Int32) {
    switch exitStatus {
    case 0: self = .poweredOff
    case 1: self = .hostFailure
    case 2: self = .usage
    case 3: self = .reset
    case 4: self = .panicked
    case 5: self = .tripleFault
    case 6: self = .internalError
    case 7: self = .forbiddenCall
    case 129...192: self = .signaled(exitStatus - 128)
    default: self = .unknown(exitStatus)
    }
  }
}
