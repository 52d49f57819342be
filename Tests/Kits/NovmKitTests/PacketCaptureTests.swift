import Testing

@testable import NovmKit

struct PacketCaptureTests {
  private static func block(_ type: UInt8, _ body: Int) -> [UInt8] {
    let length: [UInt8] = [UInt8(body + 12), 0, 0, 0]
    return [type, 0, 0, 0] + length + [UInt8](repeating: 1, count: body) + length
  }

  @Test func onlyWholeBlocksGoOn() throws {
    let first = Self.block(6, 20)
    let second = Self.block(6, 0)
    var capture = PacketCapture()
    var written: [UInt8] = []
    for byte in first + second + first.dropLast() {
      capture.add([byte])
      let whole = try capture.takeBlocks()
      #expect([[], first, second].contains(whole))
      written += whole
    }
    #expect(written == first + second)
  }

  /// A monitor that lies.
  @Test(
    arguments: [[0, 0, 0, 0], [8, 0, 0, 0], [33, 0, 0, 0], [0, 0, 0, 0x80], [0xfc, 0xff, 0xff, 0xff]] as [[UInt8]])
  func lengthsThatAreNone(length: [UInt8]) {
    var capture = PacketCapture()
    capture.add([6, 0, 0, 0] + length + [0, 0, 0, 0])
    #expect(throws: NovmError.self) { try capture.takeBlocks() }
  }
}
