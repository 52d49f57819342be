import CLinux
package import Host

/// A list of the system calls that threads may make, for seccomp(2). All others trap (``CallViolation``), or fail.
package struct CallFilter: Equatable, Sendable {
  /// What is asked of an argument for its call to pass. The kernel takes pointers' targets no part of this.
  package struct Condition: Equatable, Sendable {
    /// From 0 to 5.
    let argument: Int
    /// The bits that are looked at.
    let mask: UInt64
    /// What they may be.
    let values: [UInt64]

    /// All 64 bits.
    package static func exactly(_ argument: Int, _ values: [UInt64]) -> Condition {
      Condition(argument: argument, mask: .max, values: values)
    }

    /// The lower half, which is all that the kernel takes of descriptors, requests and flags of type int.
    package static func word(_ argument: Int, _ values: [UInt32]) -> Condition {
      Condition(argument: argument, mask: 0xffff_ffff, values: values.map(UInt64.init))
    }

    /// None of these bits is set.
    package static func without(_ argument: Int, _ bits: UInt64) -> Condition {
      Condition(argument: argument, mask: bits, values: [0])
    }
  }

  /// What becomes of a call.
  enum Verdict: Equatable, Sendable {
    case allowed
    /// If one of these lists holds as a whole. If none does, it fails with this error, or traps if that is nil.
    case allowedWhere([[Condition]], otherwise: Int32?)
  }

  private(set) var verdicts: [SystemCall: Verdict] = [:]

  /// With which calls fail that are not mentioned; nil for those to trap.
  let otherwise: Int32?

  package init(otherwise error: Errno? = nil) { otherwise = error?.code }

  /// Allows calls, whatever their arguments.
  package mutating func allow(_ calls: SystemCall...) {
    for call in calls { verdicts[call] = .allowed }
  }

  /// Allows a call where all conditions hold, besides what was allowed of it before.
  package mutating func allow(_ call: SystemCall, where condition: Condition, _ others: Condition...) {
    let conditions = [condition] + others
    switch verdicts[call] {
    case .allowed: break
    case .allowedWhere(let before, let otherwise):
      verdicts[call] = .allowedWhere(before + [conditions], otherwise: otherwise)
    case nil: verdicts[call] = .allowedWhere([conditions], otherwise: otherwise)
    }
  }

  /// Has a call fail where it is not allowed, for callers that know what to do then.
  package mutating func refuse(_ call: SystemCall, _ error: Errno) {
    switch verdicts[call] {
    case .allowed: break
    case .allowedWhere(let others, _): verdicts[call] = .allowedWhere(others, otherwise: error.code)
    case nil: verdicts[call] = .allowedWhere([], otherwise: error.code)
    }
  }

  package var program: [sock_filter] { FilterProgram(self).instructions }

  /// For the calling thread and all that it starts, for good. What an earlier filter does not allow stays so.
  ///
  /// The process must have renounced privileges before (``ProcessPrivileges/renounce()``).
  package func apply() throws(Errno) {
    let program = program
    try checked(
      unsafe program.withUnsafeBufferPointer { unsafe clinux_filter_calls($0.baseAddress!, UInt16($0.count)) })
  }

  /// Whether the host has such filters.
  package static var isAvailable: Bool { clinux_filters_are_there() != 0 }
}
