import Testing

@testable import Host

struct IDRangeTests {
  @Test func parses() {
    #expect(IDRange("0:100000:65536") == IDRange(guest: 0, host: 100_000, count: 65536))
    #expect(IDRange("0:100000:65536")?.description == "0:100000:65536")
    for text in ["", "0", "0:1", "0:1:0", "0:1:2:3", "a:b:c", "0::1", "4294967295:0:2", "0:4294967295:2", "-1:0:1"] {
      #expect(IDRange(text) == nil)
    }
    #expect(IDRange("4294967295:4294967295:1") != nil)
  }
}
