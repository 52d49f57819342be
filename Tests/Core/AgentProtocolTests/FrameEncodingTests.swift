import AgentProtocol
import Testing

@Suite struct FrameEncodingTests {
  @Test func refusesWhatIsTooLong() {
    // Not as arguments of the test: they would be printed in full.
    let frames: [Frame] = [
      .stdin(Array(repeating: 1, count: Agent.payloadLimit + 1)),
      .exec(Command(arguments: [Array(repeating: 1, count: Agent.execPayloadLimit)])),
    ]
    for frame in frames {
      var bytes: [UInt8] = [1, 2, 3]
      var oversized: FrameType?
      do throws(FrameError) { try frame.encode(into: &bytes) } catch {
        if case .oversized(let type, _) = error { oversized = type }
      }
      #expect(oversized == frame.type)
      #expect(bytes == [1, 2, 3])
    }
  }

  @Test(arguments: [
    Frame.signal(0), .signal(65), .signaled(0), .signaled(128),
    .hello(Hello(kernelRelease: [0])),
    .exec(Command(arguments: [])),
    .exec(Command(arguments: ["a".bytes], environment: ["A=\0".bytes])),
    .exec(Command(arguments: ["a".bytes], options: Command.Options(rawValue: 32))),
    .failed(Failure(kind: .system, message: [0])),
    .clock(WallTime(seconds: 1, nanoseconds: 1_000_000_000)),
  ])
  func refusesWhatNoDecoderTakes(_ frame: Frame) {
    var bytes: [UInt8] = []
    #expect(throws: FrameError.malformed(frame.type)) { try frame.encode(into: &bytes) }
    #expect(bytes.isEmpty)
  }

  @Test func takesTheLargestExec() throws {
    // Fixed fields 8, user 4, directory 4, two counts 8, one argument's length 4.
    let frame = Frame.exec(Command(arguments: [Array(repeating: 0x61, count: Agent.execPayloadLimit - 28)]))
    #expect(decode(try frame.encoded(), pieces: 4096).frames == [frame])
  }

  @Test func exitStatusesAreDockers() {
    let statuses = Failure.Kind.allCases.map { Failure(kind: $0, message: []).exitStatus }
    #expect(statuses == [127, 126, 125, 125, 125])
  }
}
