import CLinux
import Glibc

/// Which of the host's CPUs the threads of vCPUs may run on (sched_setaffinity(2)).
package struct CPUAffinity: Equatable, Sendable {
  /// As many as the C library's own sets hold (CPU_SET(3)).
  private static let limit = 1024

  /// For the vCPUs that `own` does not name; nil: for those all that the process has.
  private var every: Set<Int>?
  private var own: [Int: Set<Int>] = [:]

  /// Parses `LIST` for all vCPUs, such as `0-3,6`, or `VCPU=LIST` for some, divided by colons.
  ///
  /// - Returns: nil for anything else.
  package init?(_ text: [UInt8]) {
    guard text.contains(UInt8(ascii: "=")) else {
      guard let list = Self.list(text[...]) else { return nil }
      every = list
      return
    }
    for part in text.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false) {
      guard let equals = part.firstIndex(of: UInt8(ascii: "=")), let vcpu = Self.number(part[..<equals]),
        own[vcpu] == nil, let list = Self.list(part[(equals + 1)...])
      else { return nil }
      own[vcpu] = list
    }
  }

  private static func list(_ text: ArraySlice<UInt8>) -> Set<Int>? {
    var list: Set<Int> = []
    for part in text.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
      let ends = part.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
      guard (1...2).contains(ends.count), let first = number(ends[0]), let last = number(ends[ends.count - 1]),
        first <= last
      else { return nil }
      list.formUnion(first...last)
    }
    return list
  }

  private static func number(_ text: ArraySlice<UInt8>) -> Int? {
    guard (1...4).contains(text.count) else { return nil }
    var value = 0
    for byte in text {
      guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
      value = 10 * value + Int(byte - UInt8(ascii: "0"))
    }
    return value < limit ? value : nil
  }

  /// The largest vCPU that is named, if any is.
  package var lastVCPU: Int? { own.keys.max() }

  /// The first CPU that is named, but not one of those that the process may run on.
  package var missing: Int? {
    let available = Self.available
    return own.values.reduce(every ?? []) { $0.union($1) }.subtracting(available).min()
  }

  /// Binds the calling thread, as that of a vCPU.
  package func bind(vcpu: Int) throws(Errno) {
    guard let cpus = own[vcpu] ?? every else { return }
    var mask = [UInt64](repeating: 0, count: Self.limit / 64)
    for cpu in cpus { mask[cpu / 64] |= 1 << UInt64(cpu % 64) }
    try checked(unsafe mask.withUnsafeBytes { unsafe clinux_set_affinity($0.baseAddress!, $0.count) })
  }

  /// What the process may run on.
  private static var available: Set<Int> {
    var mask = [UInt64](repeating: 0, count: limit / 64)
    guard unsafe mask.withUnsafeMutableBytes({ unsafe clinux_affinity($0.baseAddress!, $0.count) }) >= 0 else {
      return []
    }
    return Set((0..<limit).filter { mask[$0 / 64] >> UInt64($0 % 64) & 1 == 1 })
  }
}
