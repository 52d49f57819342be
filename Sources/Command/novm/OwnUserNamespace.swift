import CLinux
import Glibc
import Host

/// A user namespace with this process's user and group alone, in which an ordinary user may have namespaces of mounts as root
/// does (user_namespaces(7)). Files of all others show as nobody's.
enum OwnUserNamespace {
  private static let newUsers: Int32 = 0x1000_0000  // CLONE_NEWUSER

  /// To be entered while the process has one thread, and before it hides its memory: what says who is who would be root's then.
  static func enter() throws(Errno) {
    let (user, group) = (geteuid(), getegid())
    try checked(clinux_unshare(newUsers | Int32(clinux_NEW_MOUNTS)))
    // Or the group could not be told: whoever leaves groups could come to what they are kept from.
    try write("deny", "setgroups")
    try write("\(user) \(user) 1", "uid_map")
    try write("\(group) \(group) 1", "gid_map")
  }

  private static func write(_ text: String, _ name: String) throws(Errno) {
    try FileDescriptor.open(Path("/proc/self/\(name)"), O_WRONLY).writeAll(Array(text.utf8))
  }
}
