import AgentProtocol
import Devices
import GuestMemory

/// The host's side of the agent's protocol: waits for `noguest` to be ready, runs one command, passes on what it says, and has
/// the machine ended. All of it runs under the machine's lock.
final class AgentClient: VsockBackend {
  let device = VsockDevice(guestCID: 3)
  private let arguments: [[UInt8]]
  private let clock: () -> UInt64
  private let output: (ArraySlice<UInt8>, _ isError: Bool) -> Void
  private var greeting: AgentStream?
  private var command: AgentStream?
  private var shutdown: AgentStream?
  private var isReady = false
  /// How the command ended.
  private(set) var status: UInt8?

  /// Whose command could not be run (docker run's).
  static let failed: UInt8 = 125

  init(
    _ arguments: [[UInt8]], clock: @escaping () -> UInt64,
    output: @escaping (ArraySlice<UInt8>, _ isError: Bool) -> Void
  ) {
    self.arguments = arguments
    self.clock = clock
    self.output = output
    device.backend = self
  }

  func connect(_ stream: VsockStream, port: UInt32) -> (any VsockEndpoint)? {
    guard port == Agent.port, greeting == nil else { return nil }
    let endpoint = AgentStream(.clock(WallTime(seconds: clock(), nanoseconds: 0))) { [self] piece, bytes in
      switch piece {
      case .frame(.hello): isReady = true
      case .frame(.failed(let failure)): fail(failure)
      default: break
      }
    }
    endpoint.stream = stream
    endpoint.isOpen = true
    greeting = endpoint
    return endpoint
  }

  private func fail(_ failure: Failure) {
    status = failure.exitStatus
    output((Array("novm: ".utf8) + failure.message + [10])[...], true)
  }

  private func take(_ piece: FramePiece, _ bytes: [UInt8]) {
    switch piece {
    case .data(let type, let range): output(bytes[range], type == .stderr)
    case .frame(.exited(let code)): status = code
    case .frame(.signaled(let number)): status = 128 &+ number
    case .frame(.failed(let failure)): fail(failure)
    case .frame: break
    }
  }

  /// What could not be done while the device was at work.
  func advance() {
    if let greeting { greeting.send(device) }
    if isReady, command == nil {
      command = connect(.exec(Command(arguments: arguments))) { [self] piece, bytes in take(piece, bytes) }
    }
    command?.send(device)
    // A stream that ends before its command has is the guest's fault.
    if status == nil, command?.isClosed == true { status = Self.failed }
    if isReady, status != nil, shutdown == nil { shutdown = connect(.shutdown(.end)) { _, _ in } }
    shutdown?.send(device)
  }

  private func connect(_ frame: Frame, _ take: @escaping (FramePiece, [UInt8]) -> Void) -> AgentStream? {
    let endpoint = AgentStream(frame, take)
    endpoint.stream = device.connect(toGuestPort: Agent.port, endpoint)
    return endpoint.stream == nil ? nil : endpoint
  }
}

/// One stream: sends a frame, and takes what comes.
private final class AgentStream: VsockEndpoint {
  var stream: VsockStream?
  var isOpen = false
  private(set) var isClosed = false
  private let outgoing: [UInt8]
  private var sent = 0
  private var isAnnounced = false
  private var decoder = FrameDecoder()
  private let take: (FramePiece, [UInt8]) -> Void

  init(_ frame: Frame, _ take: @escaping (FramePiece, [UInt8]) -> Void) {
    // A frame that is too long is empty, and the guest closes the stream.
    outgoing = (try? frame.encoded()) ?? []
    self.take = take
  }

  /// Once the guest has accepted.
  func send(_ device: VsockDevice) {
    guard isOpen, !isAnnounced, !isClosed, let stream else { return }
    isAnnounced = true
    device.readable(stream)
  }

  func opened(hostPort: UInt32) { isOpen = true }

  func read(into slices: [GuestSlice]) -> VsockTransfer {
    var count = 0
    for slice in slices {
      let copied = slice.copy(from: outgoing, at: sent)
      sent += copied
      count += copied
    }
    return count > 0 ? .moved(count) : .blocked
  }

  func write(_ slices: [GuestSlice]) -> VsockTransfer {
    var bytes: [UInt8] = []
    for slice in slices { bytes += slice.bytes() }
    return decode(bytes)
  }

  func write(_ bytes: Span<UInt8>) -> VsockTransfer {
    var copy: [UInt8] = []
    copy.reserveCapacity(bytes.count)
    for index in bytes.indices { copy.append(bytes[index]) }
    return decode(copy)
  }

  private func decode(_ bytes: [UInt8]) -> VsockTransfer {
    var offset = 0
    do throws(FrameError) {
      while let piece = try decoder.nextPiece(bytes, from: &offset) { take(piece, bytes) }
    } catch {
      return .failed
    }
    return bytes.isEmpty ? .blocked : .moved(bytes.count)
  }

  func endOutput() { isClosed = true }
  func endInput() {}
  func close() { isClosed = true }
}
