import CLinux
import Glibc
import Host

/// A program that embeds novm: what is started for it is no child of it, has the environment that it was told, and ends with
/// it unless told otherwise.
package struct HostProgram: Sendable {
  /// `NAME=VALUE`, all of it.
  package var environment: [[UInt8]]
  /// Whether its machines go on when it ends.
  package var isDetached: Bool

  package init(environment: [[UInt8]], isDetached: Bool = false) {
    self.environment = environment
    self.isDetached = isDetached
  }

  /// This process, as whoever is to end with it watches it: a descriptor, the caller's to close; nil for nobody.
  func lifeline() throws(NovmError) -> Int32? {
    if isDetached { return nil }
    let opened = clinux_open_process(getpid())
    guard opened >= 0 else { throw .call("pidfd_open", .current) }
    return opened
  }
}
