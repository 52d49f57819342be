package import GuestMemory

/// Where a guest's connections to the host go.
package protocol VsockBackend: AnyObject {
  /// The guest connects to `port` of the host.
  ///
  /// - Parameter stream: the new stream, by which the endpoint later names itself to the device.
  /// - Returns: the host's end, or nil to refuse.
  func connect(_ stream: VsockStream, port: UInt32) -> (any VsockEndpoint)?
}

/// The host's end of one stream. No call may block.
///
/// An endpoint tells the device of `readable`, `writable` and `hungUp` when each comes about (edge-triggered): the device
/// itself remembers and goes on until a transfer says `blocked`.
package protocol VsockEndpoint: AnyObject {
  /// The guest has accepted: a connection that the host began is open.
  func opened(hostPort: UInt32)

  /// Fills `slices` with what the host sends.
  func read(into slices: [GuestSlice]) -> VsockTransfer

  /// Takes what the guest sends.
  func write(_ slices: [GuestSlice]) -> VsockTransfer

  /// Takes what the guest sent earlier.
  func write(_ bytes: Span<UInt8>) -> VsockTransfer

  /// The guest sends nothing more.
  func endOutput()

  /// The guest takes nothing more.
  func endInput()

  /// The stream is over; the device has let go of the endpoint.
  func close()
}

/// How a transfer with the host went.
package enum VsockTransfer: Equatable, Sendable {
  /// So many bytes, at least one.
  case moved(Int)
  /// Nothing now.
  case blocked
  /// Reading: the host sends nothing more.
  case ended
  /// The other end is gone.
  case failed
}
