import Testing

@testable import Egress

@Suite struct SourceFilterTests {
  private typealias F = Frames
  private let own6: [UInt8] = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]
  /// Of 02:00:00:00:00:01.
  private let local: [UInt8] = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfe, 0, 0, 1]
  private let none = [UInt8](repeating: 0, count: 16)
  private let other: [UInt8] = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3]

  private func accepts(_ frame: [UInt8]) -> Bool {
    let filter = SourceFilter(hardwareAddress: F.card, addresses: [F.bytes(F.guest), own6])
    let head = Array(frame.prefix(SourceFilter.headSize))
    return filter.accepts(head.span)
  }

  private func ip6(_ source: [UInt8], _ next: UInt8, _ payload: [UInt8]) -> [UInt8] {
    F.ethernet(0x86dd, [0x60, 0, 0, 0, 0, UInt8(payload.count), next, 255] + source + other + payload)
  }

  private func advertisement(_ target: [UInt8], link: [UInt8] = [2, 0, 0, 0, 0, 1]) -> [UInt8] {
    [136, 0, 0, 0, 0x20, 0, 0, 0] + target + [2, 1] + link
  }

  @Test func ownSendersPass() {
    #expect(accepts(F.tcp(IPv4Address(0x0808_0808), 443, 2)))
    #expect(accepts(ip6(own6, 6, [1, 2, 3])))
    #expect(accepts(ip6(local, 58, advertisement(own6))))
    #expect(accepts(ip6(none, 58, [135, 0, 0, 0, 0, 0, 0, 0] + own6)))
    #expect(accepts(ip6(local, 58, advertisement(own6) + [14, 1, 0, 0, 0, 0, 0, 0])))
    #expect(accepts(ip6(local, 58, [128, 0, 0, 0, 0, 1, 0, 1] + [UInt8](repeating: 9, count: 200))))
    #expect(accepts(ip6(local, 0, [58, 0, 5, 2, 0, 0, 0, 0, 143, 0])))
  }

  @Test func forgedSendersDoNot() {
    #expect(!accepts(F.ip(17, [], to: IPv4Address(1), from: IPv4Address(0x0a00_0210))))
    #expect(!accepts(F.ip(17, [], to: IPv4Address(1), from: IPv4Address(0))))
    #expect(!accepts(F.ethernet(0x0800, [UInt8](repeating: 0x45, count: 40), from: 0x0200_0000_0002)))
    #expect(!accepts(ip6(other, 17, [1, 2, 3])))
    #expect(!accepts(ip6(none, 17, [1, 2, 3])))
    #expect(!accepts(ip6(local, 58, advertisement(other))))
    #expect(!accepts(ip6(local, 58, advertisement(own6, link: [2, 0, 0, 0, 0, 9]))))
    #expect(!accepts(ip6(local, 58, [134, 0, 0, 0, 64, 0, 0, 0])))
    #expect(!accepts(ip6(local, 58, [137, 0, 0, 0])))
    // Behind what is looked at.
    let long: [UInt8] = [14, 7] + [UInt8](repeating: 0, count: 54)
    let head = Array(advertisement(own6).dropLast(8))
    #expect(!accepts(ip6(local, 58, head + long + [2, 1, 2, 0, 0, 0, 0, 9])))
    #expect(!accepts(ip6(local, 58, [135, 0, 0, 0, 0, 0, 0, 0] + own6 + long + [1, 1, 2, 0, 0, 0, 0, 9])))
    #expect(!accepts(ip6(local, 58, [133, 0, 0, 0, 0, 0, 0, 0] + long + long + [1, 1, 2, 0, 0, 0, 0, 9])))
    // Hidden behind options, and in tags.
    #expect(!accepts(ip6(local, 0, [58, 0, 1, 4, 0, 0, 0, 0] + advertisement(other))))
    #expect(!accepts(ip6(local, 60, [58, 0, 1, 4, 0, 0, 0, 0] + advertisement(other))))
    #expect(!accepts(F.ethernet(0x8100, [0, 1, 8, 0] + [UInt8](repeating: 0x45, count: 40))))
    let short: [[UInt8]] = [
      [], [1, 2], F.ethernet(0x0800, []), F.ethernet(0x86dd, [0x60]), F.ethernet(0x0806, [0, 1]),
    ]
    for frame in short {
      #expect(!accepts(frame))
    }
  }

  @Test func addressResolutionTellsTheCardsOwn() {
    func arp(_ hardware: UInt8, _ address: IPv4Address) -> [UInt8] {
      F.ethernet(
        0x0806,
        [0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0, 0, hardware] + F.bytes(address) + [0, 0, 0, 0, 0, 0] + [10, 0, 2, 2])
    }
    #expect(accepts(arp(1, F.guest)))
    #expect(accepts(arp(1, IPv4Address(0))))
    #expect(!accepts(arp(1, F.resolver)))
    #expect(!accepts(arp(2, F.guest)))
  }
}
