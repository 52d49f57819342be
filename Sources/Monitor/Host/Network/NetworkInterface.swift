import CLinux
import Glibc

/// A network interface of the host's, by its name: netdevice(7).
package struct NetworkInterface: ~Copyable {
  package let name: String
  /// Any socket leads to the ioctls.
  private let socket: FileDescriptor

  /// - Throws: what socket(2) says; that there is no such interface shows later.
  package init(_ name: String) throws(Errno) {
    self.name = name
    socket = FileDescriptor(
      owning: try checked(Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)))
  }

  /// The largest packet, in bytes.
  package func mtu() throws(Errno) -> Int {
    Int(try checked(unsafe name.withCString { unsafe clinux_interface_mtu(socket.raw, $0) }))
  }

  /// Changes the MTU, unless it is so already, which takes no privileges.
  package func setMTU(_ mtu: Int) throws(Errno) {
    if try self.mtu() == mtu { return }
    try checked(unsafe name.withCString { unsafe clinux_interface_set_mtu(socket.raw, $0, Int32(mtu)) })
  }

  /// Switches it on, unless it is.
  package func bringUp() throws(Errno) {
    let flags = try checked(unsafe name.withCString { unsafe clinux_interface_flags(socket.raw, $0) })
    if flags & Int32(clinux_IFF_UP) != 0 { return }
    try checked(
      unsafe name.withCString { unsafe clinux_interface_set_flags(socket.raw, $0, flags | Int32(clinux_IFF_UP)) })
  }

  /// Makes it a port of a bridge, unless it is.
  ///
  /// - Throws: `ENODEV` if there is no such bridge, `EOPNOTSUPP` if it is none, `EBUSY` if this is another one's port.
  package func join(bridge: String) throws(Errno) {
    if master == bridge { return }
    let index = try checked(unsafe name.withCString { unsafe clinux_interface_index(socket.raw, $0) })
    try checked(unsafe bridge.withCString { unsafe clinux_bridge_add(socket.raw, $0, index) })
  }

  /// The bridge whose port it is.
  package var master: String? {
    var target = [UInt8](repeating: 0, count: 256)
    let count = unsafe "/sys/class/net/\(name)/master".withCString { path in
      unsafe target.withUnsafeMutableBytes { buffer in
        unsafe readlink(path, buffer.baseAddress!.assumingMemoryBound(to: CChar.self), buffer.count)
      }
    }
    guard count > 0 else { return nil }
    return target[..<count].split(separator: UInt8(ascii: "/")).last.map { String(decoding: $0, as: UTF8.self) }
  }
}
