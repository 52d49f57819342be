import Testing

@testable import NovmKit

struct TreeMapTests {
  private func parse(_ text: String) throws -> TreeMap {
    try TreeMap(parsing: Array(text.utf8), directory: Array("/work".utf8))
  }

  @Test(arguments: [
    ("/srv", "/", "/srv"),
    ("/=>/srv", "/", "/srv"),
    ("/data=>/srv/x", "/data", "/srv/x"),
    ("//data/./y/=>/srv", "/data/y", "/srv"),
    ("/data=>sub", "/data", "/work/sub"),
    ("sub", "/", "/work/sub"),
    (".", "/", "/work/."),
    ("/=>/odd=>name", "/", "/odd=>name"),
    ("/a=b=>/c", "/a=b", "/c"),
    ("/with space=>/and more", "/with space", "/and more"),
  ])
  func parses(_ text: String, guest: String, host: String) throws {
    #expect(try parse(text) == TreeMap(guest: guest, host: host))
  }

  @Test(arguments: [
    ("", TreeMapFault.noHostPath),
    ("/data=>", .noHostPath),
    ("data=>/srv", .relativeGuestPath),
    ("=>/srv", .relativeGuestPath),
    ("/a/../b=>/srv", .guestPathClimbs),
  ])
  func refuses(_ text: String, fault: TreeMapFault) {
    #expect(throws: NovmError.treeMap(Array(text.utf8), fault)) { try parse(text) }
  }

  @Test func namesAreBytes() throws {
    let bytes: [UInt8] = [0x2f, 0xff] + Array("=>/".utf8) + [0xfe, 0x0a]
    let map = try TreeMap(parsing: bytes, directory: [])
    #expect(map.guest == [0x2f, 0xff])
    #expect(map.host == [0x2f, 0xfe, 0x0a])
    #expect(map.argument == bytes)
  }
}
