import Testing

@testable import Download

struct HostNameTests {
  @Test(arguments: ["localhost", "localhost:5000", "127.0.0.1", "127.255.0.9:80"])
  func loopback(host: String) { #expect(HostName.isLoopback(host) && HostName.isOfThisHost(host)) }

  /// Somebody else's, whose certificate is to be looked at.
  @Test(arguments: [
    "127.example.org", "127.0.0.1.example.org", "localhost.example.org", "127.1", "127.0.0.256", "127.0.0.+1",
    "127.0.0.01",
    "128.0.0.1", "",
  ])
  func others(host: String) { #expect(!HostName.isLoopback(host)) }

  @Test(arguments: [
    "0", "localhost.", "LocalHost..", "x.localhost", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "0x7f000001",
    "0.0.0.0",
    "169.254.169.254", "[::1]", "[::1]:443", "", ":80", ".", "%6cocalhost", "\u{ff4c}ocalhost", "127.0.0.1\u{3002}",
    "a\\b",
    "127.0.0.1.:80",
  ])
  func thisHostInOtherWords(host: String) { #expect(HostName.isOfThisHost(host)) }

  @Test(arguments: [
    "auth.example.org", "auth.example.org:443", "10.0.0.1:5000", "localhost.example.org", "1.example.org.",
  ])
  func hostsElsewhere(host: String) { #expect(!HostName.isOfThisHost(host)) }
}
