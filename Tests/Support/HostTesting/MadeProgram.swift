import Foundation

/// A program that a test makes and then runs.
package enum MadeProgram {
  private struct NotMade: Error { let path: String }

  /// Writes it by a process of its own: what another test starts meanwhile would hold a file that this process writes
  /// open for writing, and such a one cannot be run (execve(2), ETXTBSY).
  package static func write(_ path: String, _ text: String) throws {
    let made = try Tool.run("sh", ["-c", #"cat >"$1" && chmod 755 "$1""#, "sh", path], input: Array(text.utf8))
    guard made.status == 0 else { throw NotMade(path: path) }
  }
}
