import CLinux
import Glibc
package import Host

/// What of root's power a process may keep (capabilities(7)).
package enum Capability: UInt64, Sendable {
  case changeOwner = 0
  case overrideAccess = 1
  case overrideReading = 2
  case actAsOwner = 3
  case keepSetID = 4
  case setImmutable = 9
  /// Attributes `trusted.…`, among them overlayfs's marks.
  case administer = 21
  /// Blocks that a file system keeps for root.
  case useReserves = 24
  case makeDevices = 27
  case setFileCapabilities = 31
}

/// What a process can do without, by prctl(2) and in its own memory.
package enum ProcessPrivileges {
  /// No program that it executes gives it any (PR_SET_NO_NEW_PRIVS).
  package static func renounce() throws(Errno) { try checked(clinux_renounce_privileges()) }

  /// No other process of the same user reads its memory, by ptrace(2), /proc or a core dump, in which the guest's is, too.
  package static func hideMemory() throws(Errno) { try checked(clinux_hide_memory()) }

  /// Nothing of what the environment had stays in memory. Before any thread is started.
  package static func forgetEnvironment() {
    let variables = unsafe environ
    var index = 0
    while let text = unsafe variables[index] {
      // Safe: the kernel put them on the stack, writable, each with its NUL; nobody has kept one.
      unsafe memset(text, 0, strlen(text))
      unsafe variables[index] = nil
      index += 1
    }
  }

  /// This process's number.
  package static var process: Int32 { getpid() }

  /// Keeps these capabilities, as far as the process has them, and no others.
  package static func keepCapabilities(_ kept: Set<Capability>) throws(Errno) {
    try checked(clinux_set_capabilities(kept.reduce(0) { $0 | 1 << $1.rawValue } & clinux_capabilities()))
  }

  /// Becomes a user of its own, without groups but one; what capabilities it had it can still keep. It must have no other threads.
  package static func become(user: UInt32, group: UInt32) throws(Errno) {
    try checked(clinux_become(user, group))
  }

  package static var isRoot: Bool { geteuid() == 0 }
}
