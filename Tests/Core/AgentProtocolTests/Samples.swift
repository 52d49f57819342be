import AgentProtocol

extension String {
  /// The bytes of a wire string.
  var bytes: [UInt8] { Array(utf8) }
}

/// One frame of every type, with payloads that are unlike their neighbours.
let sampleFrames: [Frame] = [
  .hello(Hello(kernelRelease: "6.1.0-56-cloud-amd64".bytes)),
  .exec(
    Command(
      arguments: ["/bin/ls".bytes, "-la".bytes, "".bytes, [0xff, 0x80, 0x0a]], environment: ["A=1".bytes, "B=".bytes],
      directory: "/srv".bytes, user: "daemon:1".bytes, options: [.terminal, .input],
      window: WindowSize(rows: 50, columns: 0x1234))),
  .exec(Command(arguments: ["true".bytes])),
  .exec(
    Command(
      arguments: ["true".bytes],
      limits: [
        ResourceLimit(resource: 7, soft: 0x0102_0304_0506, hard: ResourceLimit.unlimited)!,
        ResourceLimit(resource: 15, soft: 0, hard: 0)!,
      ])),
  .started(pid: 0x0102_0304),
  .stdin([0, 1, 2, 255]),
  .endOfInput,
  .stdout(Array(repeating: 0xa5, count: Agent.payloadLimit)),
  .stderr([]),
  .credit(.max),
  .signal(64),
  .resize(WindowSize(rows: 0xffff, columns: 1)),
  .exited(code: 255),
  .signaled(127),
  .failed(Failure(kind: .notFound, errno: 2, message: "nosuch: command not found".bytes)),
  .shutdown(.reboot),
  .synced,
  .clock(WallTime(seconds: 0x0102_0304_0506_0708, nanoseconds: 999_999_999)),
]

/// Decodes `bytes` delivered in pieces of `size`; what was decoded before an error is returned with it.
func decode(_ bytes: [UInt8], pieces size: Int) -> (frames: [Frame], error: FrameError?, atBoundary: Bool) {
  var decoder = FrameDecoder()
  var frames: [Frame] = []
  var start = 0
  while start < bytes.count {
    let piece = Array(bytes[start..<min(start + size, bytes.count)])
    start += piece.count
    var offset = 0
    do {
      while let frame = try decoder.next(piece, from: &offset) { frames.append(frame) }
    } catch {
      return (frames, error, decoder.isAtBoundary)
    }
  }
  return (frames, nil, decoder.isAtBoundary)
}

/// A frame of raw bytes, for what no encoder would write.
func raw(_ type: UInt8, _ payload: [UInt8], length: UInt32? = nil, flags: UInt8 = 0, reserved: UInt16 = 0) -> [UInt8] {
  let length = length ?? UInt32(payload.count)
  return [type, flags, UInt8(reserved & 0xff), UInt8(reserved >> 8)]
    + (0..<4).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + payload
}
