import CLinux
import Glibc

/// One queue of a tap, whose frames come and go behind a 12-byte `virtio_net_hdr` (Linux,
/// Documentation/networking/tuntap.rst). The interface ends with its last queue, unless somebody made it persistent.
package struct TapDevice: ~Copyable {
  /// `struct virtio_net_hdr_mrg_rxbuf`
  private static let headerSize: Int32 = 12

  /// What the kernel may leave undone of the frames that it gives: TUN_F_…
  package struct Offloads: OptionSet, Sendable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package static let checksum = Offloads(rawValue: UInt32(clinux_TUN_F_CSUM))
    package static let tcp4 = Offloads(rawValue: UInt32(clinux_TUN_F_TSO4))
    package static let tcp6 = Offloads(rawValue: UInt32(clinux_TUN_F_TSO6))
    package static let congestion = Offloads(rawValue: UInt32(clinux_TUN_F_TSO_ECN))
  }

  package let descriptor: FileDescriptor
  /// The interface's name.
  package let name: String

  /// Attaches to a tap, which is made if it is not there. `%d` in its name becomes a free number.
  ///
  /// - Throws: `EPERM` without the right to make it, `EBUSY` if it is in use, `EINVAL` if it is no such tap, or what
  ///   open(2) says of `/dev/net/tun`.
  package init(attachingTo name: String, isOneOfMany: Bool) throws(Errno) {
    let descriptor = try FileDescriptor.open("/dev/net/tun", O_RDWR | O_NONBLOCK)
    let name = try Self.attach(descriptor.raw, name, isOneOfMany)
    try checked(clinux_tap_set_header_size(descriptor.raw, Self.headerSize))
    self.descriptor = descriptor
    self.name = name
  }

  /// Takes over an open queue of a tap.
  ///
  /// - Throws: `EINVAL` unless it is one, with `IFF_NO_PI` and `IFF_VNET_HDR`.
  package init(owning descriptor: consuming FileDescriptor) throws(Errno) {
    let number = descriptor.raw
    var name = [CChar](repeating: 0, count: Int(clinux_IFNAMSIZ))
    // Another kind of file says ENOTTY, or whatever it takes the number for.
    let flags = unsafe name.withUnsafeMutableBufferPointer { unsafe clinux_tap_identify(number, $0.baseAddress) }
    guard flags >= 0, clinux_tap_is_frames(flags) != 0, clinux_tap_has_header(flags) != 0 else { throw Errno(EINVAL) }
    try descriptor.setNonblocking()
    try checked(clinux_tap_set_header_size(number, Self.headerSize))
    self.name = Self.text(name)
    self.descriptor = descriptor
  }

  package consuming func release() -> Int32 { descriptor.release() }

  /// TUNSETOFFLOAD, for all queues of the tap.
  package static func setOffloads(_ number: Int32, _ offloads: Offloads) throws(Errno) {
    try checked(clinux_tap_set_offloads(number, offloads.rawValue))
  }

  /// TUNSETQUEUE: whether the kernel gives frames to this queue.
  package static func enable(_ number: Int32, _ isEnabled: Bool) throws(Errno) {
    try checked(clinux_tap_enable_queue(number, isEnabled ? 1 : 0))
  }

  private static func attach(_ number: Int32, _ name: String, _ isOneOfMany: Bool) throws(Errno) -> String {
    var buffer = [CChar](repeating: 0, count: Int(clinux_IFNAMSIZ))
    for (index, byte) in name.utf8.prefix(buffer.count - 1).enumerated() { buffer[index] = CChar(bitPattern: byte) }
    let wanted = buffer
    func attach(_ flags: Int32) throws(Errno) {
      buffer = wanted
      try checked(
        unsafe buffer.withUnsafeMutableBufferPointer { unsafe clinux_tap_attach(number, $0.baseAddress, flags) })
    }
    do throws(Errno) {
      try attach(isOneOfMany ? Int32(clinux_IFF_MULTI_QUEUE) : 0)
    } catch {
      // One that is there may have been made for several queues, and is as good for one.
      guard error == Errno(EINVAL), !isOneOfMany else { throw error }
      try attach(Int32(clinux_IFF_MULTI_QUEUE))
    }
    return text(buffer)
  }

  private static func text(_ name: [CChar]) -> String {
    String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
