/// Which pages of 2 MiB a machine's memory consists of.
package enum HugePages: String, CaseIterable, Codable, Sendable {
  /// Those that the host has to spare.
  case transparent
  /// Those that the host's operator has set aside.
  case hugetlbfs
  case off
}
