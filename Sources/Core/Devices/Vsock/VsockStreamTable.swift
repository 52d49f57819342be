/// The streams that there are, and the room for more.
struct VsockStreamTable {
  /// Credit that each of the first streams gives the guest; enough that a bulk sender never waits.
  static let largeAllocation: UInt32 = 256 << 10
  static let largeAllocations = 64
  /// Credit of further ones: one packet of Linux's largest size.
  static let smallAllocation: UInt32 = 64 << 10

  private static let firstEphemeralPort: UInt32 = 1 << 30

  private var streams: [UInt64: VsockStream] = [:]
  /// Streams that the guest has forgotten, with a backlog still to go out.
  private var lingering = 0
  private var nextPort = VsockStreamTable.firstEphemeralPort

  var count: Int { streams.count + lingering }
  var hasRoom: Bool { count < VsockDevice.maximumStreams }
  var all: [VsockStream] { Array(streams.values) }

  subscript(hostPort: UInt32, guestPort: UInt32) -> VsockStream? { streams[Self.key(hostPort, guestPort)] }

  mutating func add(hostPort: UInt32, guestPort: UInt32, phase: VsockStream.Phase) -> VsockStream {
    let allocation = count < Self.largeAllocations ? Self.largeAllocation : Self.smallAllocation
    let stream = VsockStream(hostPort: hostPort, guestPort: guestPort, phase: phase, allocation: allocation)
    streams[Self.key(hostPort, guestPort)] = stream
    return stream
  }

  /// Takes out a stream; one that lingers still counts, until `lingerEnded`.
  mutating func remove(_ stream: VsockStream, lingers: Bool) {
    streams[Self.key(stream.hostPort, stream.guestPort)] = nil
    if lingers { lingering += 1 }
  }

  mutating func lingerEnded() { lingering -= 1 }

  /// An unused port of the host, above those that services listen on; nil if there is no room for another stream.
  mutating func takePort(for guestPort: UInt32) -> UInt32? {
    guard hasRoom else { return nil }
    // At least one of so many ports is free.
    for _ in 0...VsockDevice.maximumStreams {
      let port = nextPort
      nextPort = port < .max - 1 ? port + 1 : Self.firstEphemeralPort  // The last one means any port.
      if self[port, guestPort] == nil { return port }
    }
    return nil
  }

  private static func key(_ hostPort: UInt32, _ guestPort: UInt32) -> UInt64 {
    UInt64(hostPort) << 32 | UInt64(guestPort)
  }
}
