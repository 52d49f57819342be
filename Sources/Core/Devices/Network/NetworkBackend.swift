package import GuestMemory

/// The host's end of a network card: a link that takes and gives whole Ethernet frames, each behind a `NetworkHeader`.
/// No call may block.
///
/// A backend tells the device of `readable` and `writable` when each comes about (edge-triggered): the device itself
/// remembers and goes on until a transfer says `blocked`.
package protocol NetworkBackend: AnyObject {
  /// What of a frame the other side of the link may leave undone, in either direction.
  var offloads: NetworkOffloads { get }

  /// The driver takes frames of which so much is undone.
  func setReceiveOffloads(_ offloads: NetworkOffloads)

  /// The driver serves so many pairs of queues.
  func setActivePairs(_ count: Int)

  /// Takes one frame and puts it into `slices`, as much of it as there is room for. What did not fit is kept until the
  /// next call.
  ///
  /// - Returns: the length of the whole frame with its header, whose `bufferCount` may be anything.
  func receive(pair: Int, into slices: [GuestSlice]) -> NetworkTransfer

  /// Copies bytes of the frame taken last, from its byte `offset` on, into `slices`.
  func copyReceived(pair: Int, from offset: Int, into slices: [GuestSlice])

  /// Sends one frame with its header, which the guest wrote and which is still to be checked.
  func send(pair: Int, _ slices: [GuestSlice]) -> NetworkTransfer
}

/// How a transfer of a frame went.
package enum NetworkTransfer: Equatable, Sendable {
  /// A frame of so many bytes with its header.
  case moved(Int)
  /// Nothing now.
  case blocked
  /// This frame is no good, or the link takes none: it is lost, as frames may be.
  case dropped
}

/// What a sender may leave to its receiver, who can do it in fewer steps or need not do it at all.
package struct NetworkOffloads: OptionSet, Equatable, Sendable {
  package let rawValue: UInt8

  package init(rawValue: UInt8) { self.rawValue = rawValue }

  /// The checksums of TCP and UDP.
  package static let checksum = NetworkOffloads(rawValue: 1 << 0)
  /// Cutting TCP into segments: over IPv4, over IPv6, and with congestion marks.
  package static let tcp4 = NetworkOffloads(rawValue: 1 << 1)
  package static let tcp6 = NetworkOffloads(rawValue: 1 << 2)
  package static let congestion = NetworkOffloads(rawValue: 1 << 3)

  /// All that cutting needs checksums (Virtio 1.2, 5.1.3.1).
  var consistent: NetworkOffloads { contains(.checksum) ? self : [] }

  var cutsSegments: Bool { !isDisjoint(with: [.tcp4, .tcp6]) }
}
