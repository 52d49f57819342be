import FUSE
import GuestMemory
import Testing

struct RequestReaderTests {
  /// A header with `opcode` LOOKUP and the length that its bytes have.
  private func request(_ arguments: [UInt8], length: Int? = nil, extensions: UInt16 = 0) -> Message {
    var message = Message()
    message.put(UInt32(length ?? 40 + arguments.count))
    message.put(Opcode.lookup.rawValue)
    message.put(UInt64(77))
    message.put(UInt64(9))
    for id in [1000, 1001, 1002] as [UInt32] { message.put(id) }
    message.put(extensions)
    message.put(UInt16(0))
    message.bytes += arguments
    return message
  }

  @Test(arguments: [1, 2, 3, 7, 39, 40, 41, 4096])
  func readsTheSameHoweverItIsCut(piece: Int) throws {
    var reader = RequestReader(request(Array("name\0".utf8)).slices(piece: piece))
    let header = try RequestHeader(&reader)
    #expect(header.opcode == Opcode.lookup.rawValue)
    #expect((header.unique, header.node) == (77, 9))
    #expect((header.uid, header.gid, header.pid) == (1000, 1001, 1002))
    #expect(try reader.name().array() == Array("name".utf8))
    #expect(reader.remaining == 0)
  }

  @Test func refusesWhatIsShorterThanItSays() {
    for length in [0, 39, 46, 1 << 31] {
      var reader = RequestReader(request(Array("name\0".utf8), length: length).slices())
      #expect(throws: MessageError.truncated) { try RequestHeader(&reader) }
    }
    var reader = RequestReader([])
    #expect(throws: MessageError.truncated) { try RequestHeader(&reader) }
  }

  @Test func leavesExtensionsOut() throws {
    var reader = RequestReader(request(Array("name\0".utf8) + [UInt8](repeating: 1, count: 8), extensions: 1).slices())
    _ = try RequestHeader(&reader)
    #expect(reader.remaining == 5)
    var tooLong = RequestReader(request([0], extensions: 1).slices())
    #expect(throws: MessageError.truncated) { try RequestHeader(&tooLong) }
  }

  @Test func takesOnlyNamesOfOneComponent() throws {
    let longest = String(repeating: "x", count: 255)
    for piece in [1, 100, 4096] {
      for name in ["a", "...", ".a", "\u{fc}", longest] {
        var reader = RequestReader(message(name).slices(piece: piece))
        #expect(try reader.name().array() == Array(name.utf8))
      }
      for name in ["", ".", "..", "a/b", "/"] {
        var reader = RequestReader(message(name).slices(piece: piece))
        #expect(throws: MessageError.badName) { try reader.name() }
      }
      var long = RequestReader(message(longest + "y").slices(piece: piece))
      #expect(throws: MessageError.nameTooLong) { try long.name() }
      var open = RequestReader(Message(bytes: Array("abc".utf8)).slices(piece: piece))
      #expect(throws: MessageError.truncated) { try open.name() }
    }
  }

  private func message(_ name: String) -> Message {
    var message = Message()
    message.put(name)
    return message
  }

  @Test func namesThatAreNotUTF8StayAsTheyAre() throws {
    var reader = RequestReader(Message(bytes: [0xff, 0xfe, 0x80, 0]).slices())
    #expect(try reader.name().array() == [0xff, 0xfe, 0x80])
  }

  @Test func givesPiecesInPlace() throws {
    var message = Message()
    message.bytes = Array(0..<100)
    var reader = RequestReader(message.slices(piece: 30))
    try reader.skip(10)
    var seen: [UInt8] = []
    try reader.pieces(60) { seen += $0.bytes() }
    #expect(seen == Array(10..<70))
    #expect(reader.remaining == 30)
    #expect(throws: MessageError.truncated) { try reader.pieces(31) { _ in } }
  }

  @Test func readsEachRequestsFields() throws {
    var message = Message()
    for value in [0x1 | 0x8 | 0x800, 0] as [UInt32] { message.put(value) }
    for value in [11, 12, 13, 14, 15, 16] as [UInt64] { message.put(value) }
    for value in [21, 22, 23, 0o644, 0, 25, 26, 0] as [UInt32] { message.put(value) }
    var reader = RequestReader(message.slices(piece: 5))
    let setattr = try SetattrRequest(&reader)
    #expect(setattr.valid == [.mode, .size, .killPrivileges])
    #expect((setattr.handle, setattr.length) == (11, 12))
    #expect(setattr.accessed == Timestamp(seconds: 14, nanoseconds: 21))
    #expect(setattr.modified == Timestamp(seconds: 15, nanoseconds: 22))
    #expect(setattr.changed == Timestamp(seconds: 16, nanoseconds: 23))
    #expect((setattr.mode, setattr.uid, setattr.gid) == (0o644, 25, 26))
    #expect(reader.remaining == 0)
  }

  @Test func readsAttributesOfBothForms() throws {
    for isExtended in [false, true] {
      var message = Message()
      for value in [3, 1] as [UInt32] { message.put(value) }
      if isExtended { for value in [1, 0] as [UInt32] { message.put(value) } }
      message.put("user.a")
      message.bytes += [7, 8, 9]
      var reader = RequestReader(message.slices(piece: 4))
      let request = try SetxattrRequest(&reader, isExtended: isExtended)
      #expect(request.name == Array("user.a".utf8))
      #expect(request.value == [7, 8, 9])
      #expect(request.killSetgid == isExtended)
    }
  }

  @Test func boundsTheLengthOfAValue() throws {
    var message = Message()
    for value in [UInt32.max, 0] as [UInt32] { message.put(value) }
    message.put("user.a")
    var reader = RequestReader(message.slices())
    #expect(throws: MessageError.truncated) { try SetxattrRequest(&reader, isExtended: false) }
  }

  @Test func readsInitOfOldAndNewClients() throws {
    var old = Message()
    for value in [7, 31, 4096, InitFlags.maxPages.rawValue] as [UInt64] { old.put(UInt32(value)) }
    var reader = RequestReader(old.slices())
    let first = try InitRequest(&reader)
    #expect(first.flags == .maxPages)
    var new = Message()
    for value in [7, 41, 4096, UInt32(1 << 30), 1 << 8] as [UInt32] { new.put(value) }
    for _ in 0..<11 { new.put(UInt32(0)) }
    reader = RequestReader(new.slices(piece: 3))
    let second = try InitRequest(&reader)
    #expect(second.flags == [.initExtended, .allowIDMap])
  }
}
