import Glibc
import Host

/// `--run-as UID[:GID]` or `--run-as FIRST-LAST`: as whom root's monitors run.
package enum RunAs: Equatable, Sendable {
  case identity(user: UInt32, group: UInt32)
  /// Of these users, whose groups have the same numbers, each machine has one that no other has.
  case range(ClosedRange<UInt32>)

  package static let mend = "give UID, UID:GID or FIRST-LAST, numbers from 1 on"

  /// nil for what is none.
  package init?(_ text: String) {
    func number(_ text: Substring) -> UInt32? { UInt32(text).flatMap { $0 == 0 || $0 == .max ? nil : $0 } }
    let ends = text.split(separator: "-", omittingEmptySubsequences: false)
    if ends.count == 2 {
      guard let first = number(ends[0]), let last = number(ends[1]), first <= last else { return nil }
      self = .range(first...last)
      return
    }
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard (1...2).contains(parts.count), let user = number(parts[0]), let group = number(parts[parts.count - 1])
    else { return nil }
    self = .identity(user: user, group: group)
  }
}

/// A user of the host's that one machine has for itself, for as long as this is held, or novmm holds what it inherits of it.
final class OwnUser {
  let user: UInt32
  let group: UInt32
  /// Locked (flock(2)).
  private let lock: FileDescriptor?
  let inherited: [Int32]

  /// Where there is a file for each user that some machine has had.
  static let directory = "/run/novm/users"

  init(_ choice: RunAs, in directory: String = OwnUser.directory) throws(NovmError) {
    switch choice {
    case .identity(let user, let group):
      (self.user, self.group) = (user, group)
      lock = nil
      inherited = []
    case .range(let users):
      for path in ["/run/novm", directory] where unsafe mkdir(path, 0o700) != 0 && Errno.current != .exists {
        throw .system(doing: "make", path: path, .current)
      }
      for user in users {
        let path = "\(directory)/\(user)"
        let opened: FileDescriptor
        do throws(Errno) {
          opened = FileDescriptor(owning: try checked(unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)))
        } catch {
          throw .system(doing: "open", path: path, error)
        }
        guard flock(opened.raw, LOCK_EX | LOCK_NB) == 0 else { continue }
        (self.user, self.group) = (user, user)
        inherited = [opened.raw]
        lock = consume opened
        return
      }
      throw .noUserLeft("\(users.lowerBound)-\(users.upperBound)")
    }
  }

  /// For novmm.
  var argument: String { "\(user):\(group)" }
}
