import LittleEndian
import Testing

import struct Foundation.Data
import struct Foundation.URL

@testable import State

struct StateStreamTests {
  private static let tag = StateTag("test")

  /// Written by another program from docs/state-format.md, and by each release since: it is read for good.
  private static let golden: [UInt8] = {
    var tests = URL(filePath: #filePath)
    for _ in 0..<3 { tests.deleteLastPathComponent() }
    return [UInt8](try! Data(contentsOf: tests.appending(path: "Golden/state/1.0")))
  }()

  private func write() -> [UInt8] {
    var writer = StateWriter()
    var fields = FieldWriter()
    fields.put(1, UInt16(0x1234))
    fields.put(2, true)
    fields.put(3, Array("hello".utf8))
    fields.put(9, UInt64(1) << 63, isRequired: false)
    writer.add(Self.tag, fields)
    fields = FieldWriter()
    fields.put(1, UInt8(5))
    writer.add(Self.tag, instance: 7, version: 2, fields)
    writer.add(StateTag("none"), isRequired: false, FieldWriter())
    return writer.finish()
  }

  @Test func writesWhatTheFormatSays() { #expect(write() == Self.golden) }

  @Test func readsTheFirstRelease() throws {
    var reader = try StateReader(Self.golden)
    #expect(reader.major == 1)
    var fields = try reader.require(Self.tag)
    #expect(fields.version == 1)
    // In any order, and with another width.
    let (text, number, flag) = (try fields.bytes(3, limit: 5), try fields.number(1) as UInt64, try fields.flag(2))
    #expect(text == Array("hello".utf8) && number == 0x1234 && flag)
    // What a novm before this one did not write.
    let absent: (UInt32, [UInt8], Bool) = (
      try fields.number(4, absent: 8), try fields.bytes(5, limit: 100), try fields.flag(6, absent: true)
    )
    #expect(absent == (8, [], true))
    // What was not asked for is passed over, since it is not required.
    try fields.finish()
    var other = try reader.require(Self.tag, instance: 7)
    #expect(other.version == 2)
    let bounded: UInt8 = try other.number(1, in: 0...5)
    #expect(bounded == 5)
    try other.finish()
    let none = try reader.take(Self.tag, instance: 1) == nil
    #expect(none)
    try reader.finish()
  }

  @Test func refusesByName() throws {
    var reader = try StateReader(Self.golden)
    #expect(throws: StateError.missing(Self.tag, instance: 9)) { _ = try reader.require(Self.tag, instance: 9) }
    var fields = try reader.require(Self.tag)
    let unknown: UInt16 = try fields.number(1)
    #expect(unknown == 0x1234)
    #expect(throws: StateError.unknownField(Self.tag, id: 2)) { try fields.finish() }
    #expect(throws: StateError.value(Self.tag, id: 1)) { _ = try fields.number(1) as UInt8 }
    #expect(throws: StateError.value(Self.tag, id: 1)) { _ = try fields.number(1, in: 0...9) as UInt16 }
    #expect(throws: StateError.value(Self.tag, id: 3)) { _ = try fields.bytes(3, limit: 4) }
    #expect(throws: StateError.value(Self.tag, id: 3)) { _ = try fields.flag(3) }
    #expect(throws: StateError.value(Self.tag, id: 4)) { _ = try fields.number(4) as UInt8 }
    #expect(throws: StateError.unknownSection(Self.tag, instance: 7)) { try reader.finish() }
  }

  /// What is cut off or changed anywhere is found.
  @Test func findsDamage() throws {
    for count in 0..<Self.golden.count {
      #expect(throws: StateError.self) { try StateReader(Array(Self.golden[..<count])) }
    }
    #expect(throws: StateError.cutShort) { try StateReader(Self.golden + [0]) }
    for place in Self.golden.indices {
      for bit in 0..<8 {
        var bytes = Self.golden
        bytes[place] ^= 1 << UInt8(bit)
        #expect(throws: StateError.self, "bit \(bit) of byte \(place)") { try StateReader(bytes) }
      }
    }
  }

  @Test func whatStandsTwiceIsNoState() throws {
    var writer = StateWriter()
    writer.add(Self.tag, FieldWriter())
    writer.add(Self.tag, FieldWriter())
    let twice = writer.finish()
    #expect(throws: StateError.repeated(Self.tag, instance: 0)) { try StateReader(twice) }
    for ids in [[3, 3], [3, 2]] as [[UInt16]] {
      var payload: [UInt8] = []
      for id in ids { payload += littleEndian(id) + [0, 0] + littleEndian(UInt32(0)) }
      #expect(throws: StateError.value(Self.tag, id: ids[1])) {
        try FieldReader(Self.tag, version: 1, payload, 0..<payload.count)
      }
    }
    var many = StateWriter()
    for index in 0...UInt32(StateFormat.sectionLimit) { many.add(Self.tag, instance: index, FieldWriter()) }
    let bytes = many.finish()
    #expect(throws: StateError.tooLarge) { try StateReader(bytes) }
  }

  @Test func fieldsStayWithinTheirSection() {
    for payload in [[1, 0, 0, 0, 0, 0, 0], [1, 0, 0, 0, 1, 0, 0, 0], [1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 7]]
      as [[UInt8]]
    {
      #expect(throws: StateError.cutShort) {
        try FieldReader(Self.tag, version: 1, payload + [9, 9], 0..<payload.count)
      }
    }
  }

  @Test(arguments: [0, 2, 0xffff] as [UInt16]) func otherVersions(_ major: UInt16) {
    var bytes = Self.golden
    bytes.put(major, at: 8)
    #expect(throws: StateError.version(major: major)) { try StateReader(bytes) }
  }
}

struct ChecksumTests {
  private func crc(_ bytes: [UInt8]) -> UInt32 {
    var check = CRC32C()
    check.update(bytes[...])
    return check.value
  }

  /// RFC 3720, appendix B.4.
  @Test func castagnoli() {
    #expect(crc([UInt8](repeating: 0, count: 32)) == 0x8a91_36aa)
    #expect(crc([UInt8](repeating: 0xff, count: 32)) == 0x62a8_ab43)
    #expect(crc(Array(0..<32)) == 0x46dd_794e)
    #expect(crc([]) == 0)
  }

  private func sha(_ text: String) -> String {
    SHA256.digest(Array(text.utf8)[...]).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  /// FIPS 180-4's examples.
  @Test func secureHash() {
    #expect(sha("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    #expect(sha("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    #expect(
      sha("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")
        == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1")
    // In pieces, across blocks.
    let bytes = (0..<1000).map { UInt8(truncatingIfNeeded: $0) }
    for size in [1, 63, 64, 65, 200] {
      var hash = SHA256()
      for start in stride(from: 0, to: bytes.count, by: size) {
        hash.update(bytes[start..<min(start + size, bytes.count)])
      }
      #expect(hash.finish() == SHA256.digest(bytes[...]))
    }
  }
}
