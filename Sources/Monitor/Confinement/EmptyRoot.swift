import CLinux
import Glibc
package import Host

/// A root directory in which there is nothing but what /proc says of the process itself, with namespaces of mounts, networks and
/// IPC in which there is nothing else either (namespaces(7)). It takes CAP_SYS_ADMIN.
///
/// Descriptors that are open stay so, and lead on to where they are open: directories among them are to be of a
/// ``DetachedTree``, or `..` leads out.
package enum EmptyRoot {
  /// For the calling thread, which must be the process's only one, and all that it starts.
  package static func enter() throws(Errno) {
    try checked(clinux_unshare(Int32(clinux_NEW_MOUNTS) | Int32(clinux_NEW_IPC) | Int32(clinux_NEW_NETWORK)))
    let none = UInt(clinux_MOUNT_NO_SETUID | clinux_MOUNT_NO_EXECUTION)
    try mount(nil, "/", nil, UInt(clinux_MOUNT_PRIVATE | clinux_MOUNT_RECURSIVELY))
    // Any directory: what lies below it is not seen any more.
    let places: [String] = ["/tmp", "/run", "/mnt", "/var"]
    guard let base = places.first(where: { place in unsafe access(place, F_OK) == 0 }) else { throw .notFound }
    // As /proc itself numbers it.
    let own = String(decoding: try FileCalls.readLink(AT_FDCWD, Array("/proc/self\0".utf8).span), as: UTF8.self)
    try mount("none", base, "tmpfs", none, "size=64k,nr_inodes=8,mode=555")
    try checked(unsafe mkdir("\(base)/proc", 0o555))
    try checked(unsafe mkdir("\(base)/proc/\(own)", 0o555))
    try checked(unsafe symlink(own, "\(base)/proc/self"))
    try mount("/proc/\(own)", "\(base)/proc/\(own)", nil, UInt(clinux_MOUNT_BIND))
    try mount(nil, base, nil, none | UInt(clinux_MOUNT_AGAIN | clinux_MOUNT_BIND | clinux_MOUNT_READ_ONLY))
    try checked(unsafe chdir(base))
    if unsafe clinux_pivot_root(".", ".") == 0 {
      try checked(unsafe clinux_unmount_lazily("."))
    } else {
      // The root of an initramfs cannot be put elsewhere (pivot_root(2)). Nothing in the process has a directory above the new
      // one open, and it keeps no capability to leave it.
      try checked(unsafe chroot("."))
    }
    try checked(unsafe chdir("/"))
  }

  private static func mount(
    _ from: String?, _ to: String, _ kind: String?, _ flags: UInt, _ options: String? = nil
  ) throws(Errno) {
    try checked(unsafe clinux_mount(from, to, kind, flags, options))
  }
}
