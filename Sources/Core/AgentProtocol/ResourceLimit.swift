/// What a command may take of something (setrlimit(2)).
///
///     u8 resource, u64 soft limit, u64 hard limit
package struct ResourceLimit: Equatable, Sendable {
  /// RLIMIT_*.
  package let resource: UInt8
  /// In the resource's own unit; ``unlimited`` is RLIM_INFINITY.
  package let soft: UInt64
  package let hard: UInt64

  package static let unlimited = UInt64.max

  /// By their numbers (`asm-generic/resource.h`); as prlimit(1) and Docker have them, but for `as`, which Docker has not.
  package static let names: [StaticString] = [
    "cpu", "fsize", "data", "stack", "core", "rss", "nproc", "nofile", "memlock", "as", "locks", "sigpending",
    "msgqueue", "nice", "rtprio", "rttime",
  ]

  /// How many Linux has.
  package static let resources: UInt8 = 16

  /// Bytes of one that is sent.
  package static let size = 17

  /// nil where there is no such resource, or the soft limit is above the hard one.
  package init?(resource: UInt8, soft: UInt64, hard: UInt64) {
    guard resource < Self.resources, soft <= hard else { return nil }
    self.resource = resource
    self.soft = soft
    self.hard = hard
  }

  func encode(into bytes: inout [UInt8]) {
    bytes.append(resource)
    bytes.append(little: soft)
    bytes.append(little: hard)
  }
}
