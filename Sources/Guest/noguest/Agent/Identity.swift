import CGuest

/// Whom a command runs as.
struct Identity {
  var user: UInt32
  var group: UInt32
  /// Supplementary groups.
  var groups: [UInt32]
  /// The home directory; `/` where there is none.
  var home: Bytes

  /// Becomes this identity for good (credentials(7)); groups first, while that is still allowed.
  func assume() throws(SystemError) {
    // Only root can choose, and a process that is this user already need not.
    if geteuid() != 0, geteuid() == user, getegid() == group { return }
    try check(unsafe groups.withUnsafeBufferPointer { unsafe setgroups($0.count, $0.baseAddress) })
    try check(setgid(group))
    try check(setuid(user))
  }
}
