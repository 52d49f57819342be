import FUSE
import GuestMemory
import Testing

struct ReplyWriterTests {
  @Test func writesTheSameHoweverRoomIsCut() throws {
    let whole = room(512)
    let cut = room(1, 5, 0, 11, 3, 100, 7, 300)
    for slices in [whole, cut] {
      var reply = ReplyWriter(slices)
      var attributes = Attributes()
      attributes.inode = 0x1122_3344_5566_7788
      attributes.mode = 0o100644
      attributes.flags = 0xdead_beef
      try AttributesReply(attributes: attributes, validity: Validity(seconds: 3, nanoseconds: 4)).write(to: &reply)
      #expect(reply.finish(unique: 0x0102_0304_0506_0708) == 120)
    }
    #expect(bytes(whole, 120) == bytes(cut, 120))
    let result = bytes(cut, 120)
    #expect(result[0..<16] == [120, 0, 0, 0, 0, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1])
    #expect(result[32..<40] == [0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11])
    #expect(result[116..<120] == [0xef, 0xbe, 0xad, 0xde])
  }

  @Test func anErrorDropsWhatWasWritten() throws {
    let slices = room(64)
    var reply = ReplyWriter(slices)
    try reply.append([1, 2, 3])
    #expect(reply.fail(2, unique: 9) == 16)
    #expect(bytes(slices, 16) == [16, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff, 9, 0, 0, 0, 0, 0, 0, 0])
  }

  @Test func knowsWhatDoesNotFit() {
    var none = ReplyWriter(room(15))
    #expect(none.finish(unique: 1) == 0)
    #expect(none.fail(5, unique: 1) == 0)
    #expect(throws: MessageError.replyTooSmall) { try none.append(UInt8(1)) }
    var small = ReplyWriter(room(16 + 87))
    #expect(throws: MessageError.replyTooSmall) { try Attributes().write(to: &small) }
    #expect(small.count == 0)
  }

  @Test func fillsPiecesInPlace() throws {
    let slices = room(20, 10, 30)
    var reply = ReplyWriter(slices)
    var sizes: [Int] = []
    reply.pieces(25) { sizes.append($0.count) }
    #expect(sizes == [4, 10, 11])
    reply.filled(7)
    try reply.append(UInt8(0xaa))
    #expect(reply.finish(unique: 0) == 24)
    #expect(slices[1].bytes()[3] == 0xaa)
    reply.filled(1000)
    #expect(reply.room == 0)
  }

  @Test(arguments: [(InitReply.size, 0), (StatfsReply.size, 1), (StatxReply.size, 2), (EntryReply.size, 3)])
  func repliesHaveTheLengthOfTheirStructure(size: Int, which: Int) throws {
    var reply = ReplyWriter(room(1024))
    switch which {
    case 0: try InitReply().write(to: &reply)
    case 1:
      try StatfsReply(
        blocks: 1, blocksFree: 1, blocksAvailable: 1, files: 1, filesFree: 1, blockSize: 1, nameLength: 1,
        fragmentSize: 1
      ).write(to: &reply)
    case 2:
      try StatxReply(
        attributes: Attributes(), validity: Validity(seconds: 1), mask: 0, born: Timestamp(seconds: 0, nanoseconds: 0),
        flags: 0, knownFlags: 0
      ).write(to: &reply)
    default:
      try EntryReply(
        node: 1, entryValidity: Validity(seconds: 1), attributeValidity: Validity(seconds: 1), attributes: Attributes()
      ).write(to: &reply)
    }
    #expect(reply.count == size)
  }

  @Test func directoryEntriesAreAlignedAndStopAtTheLimit() throws {
    let slices = room(16 + 4096)
    var reply = ReplyWriter(slices)
    var writer = DirectoryWriter(count: 70, isPlus: false, reply: reply)
    let name = Array("abc".utf8)
    #expect(try writer.append(name: name.span, inode: 5, type: 8, next: 1, entry: nil, to: &reply))
    #expect(reply.count == 32)
    #expect(try writer.append(name: name.span, inode: 6, type: 4, next: 2, entry: nil, to: &reply))
    #expect(!writer.fits(nameLength: 3))
    #expect(try !writer.append(name: name.span, inode: 7, type: 4, next: 3, entry: nil, to: &reply))
    #expect(reply.count == 64)
    let data = bytes(slices, 16 + 64)
    #expect(data[16] == 5 && data[24] == 1 && data[32] == 3 && data[36] == 8)
    #expect(Array(data[40..<43]) == name)
  }

  @Test func deviceNumbersGoBothWays() {
    for (major, minor) in [(0, 0), (1, 3), (8, 300), (4095, 0xfffff)] as [(UInt32, UInt32)] {
      let both = Attributes.decodeDevice(Attributes.encodeDevice(major: major, minor: minor))
      #expect(both == (major, minor))
    }
  }
}
