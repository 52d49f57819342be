import Egress
import Testing

@testable import Machine

struct EgressDescriptionTests {
  @Test func isRead() throws {
    let egress = try #require(EgressDescription(Array("10.0.2.15/24,dns=10.0.2.3,udp=53,udp=9000-9002,closed".utf8)))
    #expect(egress.address == IPv4Address(0x0a00_020f) && egress.prefixLength == 24 && egress.grants.isClosed)
    #expect(egress.resolvers == [IPv4Address(0x0a00_0203)] && egress.datagramPorts == [53, 9000, 9001, 9002])
    #expect(EgressDescription(Array("10.0.2.15/0".utf8))?.datagramPorts == [])
  }

  @Test(arguments: [
    "", "10.0.2.15", "10.0.2.15/33", "10.0.2.15/+24", "10.0.2.15/024", "10.0.2.15/24,", "10.0.2.15/24,udp=",
    "10.0.2.15/24,udp=0", "10.0.2.15/24,udp=65536", "10.0.2.15/24,udp=2-1", "10.0.2.15/24,udp=1-",
    "10.0.2.15/24,udp=1-2-3",
  ]) func whatIsNoneIsRefused(_ text: String) { #expect(EgressDescription(Array(text.utf8)) == nil) }
}
