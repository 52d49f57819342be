import CLinux
import Glibc

/// Sockets of IPv4 and IPv6 that others speak to (ip(7), ipv6(7)), never blocking, closed on exec.
package enum InternetSocket {
  package enum Kind: Sendable {
    case stream, datagram
  }

  /// Binds a port, and listens on it if streams come.
  ///
  /// - Parameter place: of the host; `::` is all of its addresses of both families.
  package static func listen(_ kind: Kind, _ place: InternetAddress) throws(Errno) -> FileDescriptor {
    let type = kind == .stream ? SOCK_STREAM : SOCK_DGRAM
    let flags = Int32(type.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    let socket = FileDescriptor(owning: try checked(Glibc.socket(place.family, flags, 0)))
    let number = socket.raw
    // A listener that ended a moment ago must not keep this one from its port.
    if kind == .stream { try set(number, SOL_SOCKET, SO_REUSEADDR, to: 1) }
    // `::` alone means IPv4 too, whatever the host's default is.
    if place.family == AF_INET6 { try set(number, Int32(IPPROTO_IPV6), IPV6_V6ONLY, to: place.isAny ? 0 : 1) }
    try checked(unsafe place.withPointer { unsafe bind(number, $0, $1) })
    if kind == .stream { try checked(Glibc.listen(number, SOMAXCONN)) }
    return socket
  }

  /// getsockname(2): the port that a socket has; nil if it has none.
  package static func port(of socket: borrowing FileDescriptor) -> UInt16? {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let number = socket.raw
    let status = unsafe withUnsafeMutablePointer(to: &storage) {
      unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe getsockname(number, $0, &length) }
    }
    return status == 0 ? InternetAddress(storage, length).port : nil
  }

  private static func set(_ socket: Int32, _ level: Int32, _ option: Int32, to value: Int32) throws(Errno) {
    var value = value
    try checked(unsafe setsockopt(socket, level, option, &value, socklen_t(MemoryLayout<Int32>.size)))
  }

  /// recvfrom(2): a datagram and who sent it; nil if none waits.
  ///
  /// - Parameter buffer: its count is the most that is taken of a datagram.
  package static func receive(
    _ socket: borrowing FileDescriptor, into buffer: inout [UInt8]
  ) throws(Errno) -> (count: Int, sender: InternetAddress)? {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let number = socket.raw
    do throws(Errno) {
      let count = try retryingInterrupts {
        unsafe withUnsafeMutablePointer(to: &storage) { storage in
          unsafe storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
            unsafe buffer.withUnsafeMutableBytes {
              unsafe recvfrom(number, $0.baseAddress, $0.count, 0, address, &length)
            }
          }
        }
      }
      return (count, InternetAddress(storage, length))
    } catch Errno(EAGAIN) {
      return nil
    }
  }

  /// sendto(2); a datagram that cannot be sent is lost, as datagrams are.
  package static func send(_ socket: borrowing FileDescriptor, _ bytes: ArraySlice<UInt8>, to receiver: InternetAddress)
  {
    let number = socket.raw
    _ = unsafe receiver.withPointer { address, length in
      Int32(
        clamping: unsafe bytes.withUnsafeBytes { unsafe sendto(number, $0.baseAddress, $0.count, 0, address, length) })
    }
  }

  /// Has the peer read an error rather than an end when the socket is closed (socket(7), `SO_LINGER`).
  package static func resetWhenClosed(_ socket: borrowing FileDescriptor) {
    var value = linger(l_onoff: 1, l_linger: 0)
    _ = unsafe setsockopt(socket.raw, SOL_SOCKET, SO_LINGER, &value, socklen_t(MemoryLayout<linger>.size))
  }
}

/// An address with a port, of either family.
package struct InternetAddress: Hashable, Sendable {
  /// A `sockaddr_in` or `sockaddr_in6`.
  private let bytes: [UInt8]

  /// - Parameter text: a numeric address; nil for anything else.
  package init?(_ text: String, port: UInt16) {
    var four = sockaddr_in()
    var six = sockaddr_in6()
    if unsafe inet_pton(AF_INET, text, &four.sin_addr) == 1 {
      four.sin_family = sa_family_t(AF_INET)
      four.sin_port = port.bigEndian
      bytes = unsafe withUnsafeBytes(of: &four) { unsafe Array($0) }
    } else if unsafe inet_pton(AF_INET6, text, &six.sin6_addr) == 1 {
      six.sin6_family = sa_family_t(AF_INET6)
      six.sin6_port = port.bigEndian
      bytes = unsafe withUnsafeBytes(of: &six) { unsafe Array($0) }
    } else {
      return nil
    }
  }

  fileprivate init(_ storage: sockaddr_storage, _ length: socklen_t) {
    bytes = unsafe withUnsafeBytes(of: storage) { unsafe Array($0.prefix(Int(length))) }
  }

  /// Behind the family, in both (ip(7), ipv6(7)).
  package var port: UInt16 { UInt16(bytes[2]) << 8 | UInt16(bytes[3]) }

  fileprivate var family: Int32 { bytes.count == MemoryLayout<sockaddr_in6>.size ? AF_INET6 : AF_INET }

  /// Whether it is IPv6's address of everything: 16 bytes behind family, port and flow (ipv6(7)).
  fileprivate var isAny: Bool { family == AF_INET6 && bytes[8..<24].allSatisfy { $0 == 0 } }

  fileprivate func withPointer(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
    unsafe bytes.withUnsafeBytes {
      // Never empty, and as long as the family that it begins with says.
      unsafe body($0.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count))
    }
  }
}
