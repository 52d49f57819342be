import Testing

@testable import Machine

struct ConnectRequestTests {
  private func parse(_ text: String) -> ConnectRequest { ConnectRequest(Array(text.utf8)) }

  @Test func ports() {
    #expect(parse("CONNECT 1024\n") == .port(1024, length: 13))
    #expect(parse("CONNECT 0\nrest") == .port(0, length: 10))
    #expect(parse("CONNECT 4294967294\n") == .port(4_294_967_294, length: 19))
    #expect(parse("CONNECT 0000000007\n") == .port(7, length: 19))
  }

  @Test(arguments: ["", "C", "CONNECT", "CONNECT ", "CONNECT 12"]) func incomplete(text: String) {
    #expect(parse(text) == .incomplete)
  }

  @Test(arguments: [
    "\n", "CONNECT\n", "CONNECT \n", "connect 1\n", "CONNECT -1\n", "CONNECT 4294967295\n", "CONNECT 99999999999\n",
    "CONNECT 1\r\n", "GET / HTTP/1.1", "CONNECT 00000000000000000000000000000000",
  ])
  func malformed(text: String) {
    #expect(parse(text) == .malformed)
  }
}
