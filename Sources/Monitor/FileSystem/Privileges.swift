/// What the guest's root can make that gives its users on the host more than they have: kept real only where nobody else can come
/// to it, or where the map says so. Elsewhere it is recorded, and real to the guest alone.
package struct Privileges: OptionSet, Equatable, Sendable {
  package let rawValue: UInt8
  package init(rawValue: UInt8) { self.rawValue = rawValue }

  /// Set-user-ID and set-group-ID bits of files, and their capabilities.
  package static let suid = Privileges(rawValue: 1)
  /// Device nodes.
  package static let dev = Privileges(rawValue: 2)
  package static let all: Privileges = [.suid, .dev]

  /// As options of a map, each with a comma before it.
  package var options: String { (contains(.suid) ? ",suid" : "") + (contains(.dev) ? ",dev" : "") }

  /// By the name that it has as a map's option.
  package init?(option: String) {
    switch option {
    case "suid": self = .suid
    case "dev": self = .dev
    default: return nil
    }
  }
}
