import Testing

@testable import AgentProtocol

struct DatagramStreamTests {
  private static let samples: [[UInt8]] = [
    [], [1], Array(repeating: 7, count: 300), [0, 0], Array(repeating: 9, count: DatagramStream.limit), [0xff],
  ]

  @Test(arguments: [1, 2, 3, 299, 65_537, 1 << 20])
  func readsTheSameHoweverItIsCut(piece: Int) {
    var bytes: [UInt8] = []
    for sample in Self.samples { DatagramStream.encode(sample, into: &bytes) }
    #expect(Array(bytes.prefix(5)) == [0, 0, 1, 0, 1])
    var stream = DatagramStream()
    var datagrams: [[UInt8]] = []
    var start = 0
    while start < bytes.count {
      let end = min(start + piece, bytes.count)
      datagrams += stream.take(bytes[start..<end])
      start = end
    }
    #expect(datagrams == Self.samples)
  }

  @Test func whatIsTooLongIsCut() {
    var bytes: [UInt8] = []
    DatagramStream.encode([UInt8](repeating: 1, count: DatagramStream.limit + 9), into: &bytes)
    var stream = DatagramStream()
    #expect(stream.take(bytes).map(\.count) == [DatagramStream.limit])
  }
}
