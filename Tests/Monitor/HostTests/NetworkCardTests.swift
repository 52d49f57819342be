import Testing

@testable import Host

struct NetworkCardTests {
  @Test(
    arguments: [
      ("tap=tap0", NetworkCard(.tap(name: "tap0", bridge: nil))),
      ("bridge=br0", NetworkCard(.tap(name: nil, bridge: "br0"))),
      ("tap=t.0-_,bridge=br0", NetworkCard(.tap(name: "t.0-_", bridge: "br0"))),
      ("tap=fd:5", NetworkCard(.tapQueues([5]))),
      ("stream=fd:7", NetworkCard(.stream(7))),
    ])
  func links(_ text: String, _ card: NetworkCard) throws {
    #expect(try NetworkCard(text) == card)
    #expect(card.argument == text)
  }

  @Test func loopback() throws {
    let card = try NetworkCard("stream=fd:7,loopback=off")
    #expect(!card.sendsToLoopback && card.argument == "stream=fd:7,loopback=off")
    #expect(try NetworkCard("stream=fd:7,loopback=on") == NetworkCard(.stream(7)))
  }

  @Test func everything() throws {
    let text = "tap=tap0,bridge=br0,mac=02:00:5e:10:00:ff,mtu=9000,queues=4"
    let card = try NetworkCard(text)
    #expect(card.address?.bytes == [2, 0, 0x5e, 0x10, 0, 0xff] && card.mtu == 9000 && card.queues == 4)
    #expect(card.argument == text)
    let queues = try NetworkCard("tap=fd:5+fd:6,mac=02:00:00:00:00:01")
    #expect(queues.link == .tapQueues([5, 6]) && queues.queues == 2)
    #expect(queues.argument == "tap=fd:5+fd:6,mac=02:00:00:00:00:01")
  }

  @Test(
    arguments: [
      ("", NetworkCardFault.noValue("")), ("tap", .noValue("tap")), ("=x", .noValue("=x")), ("tap=a,", .noValue("")),
      ("mac=02:00:00:00:00:01", .noLink), ("tap=a,tap=b", .twice("tap")), ("tap=a,speed=1", .unknownKey("speed")),
      ("tap=", .interface("")), ("tap=sixteen-letters-", .interface("sixteen-letters-")),
      ("tap=a/b", .interface("a/b")),
      ("tap=a%d", .interface("a%d")), ("tap=..", .interface("..")), ("tap=a b", .interface("a b")),
      ("bridge=", .interface("")), ("tap=fd:", .descriptor("fd:")), ("tap=fd:-1", .descriptor("fd:-1")),
      ("tap=fd:1+2", .descriptor("2")), ("tap=fd:3,bridge=b", .bridgeOfDescriptor),
      ("tap=fd:3+fd:4,queues=3", .number("queues", 1...64)), ("stream=socket", .descriptor("socket")),
      ("stream=fd:3,tap=a", .streamWithTap), ("stream=fd:3,queues=2", .streamWithTap),
      ("tap=a,mtu=67", .number("mtu", 68...65535)), ("tap=a,mtu=65536", .number("mtu", 68...65535)),
      ("tap=a,queues=0", .number("queues", 1...64)), ("tap=a,queues=65", .number("queues", 1...64)),
      ("stream=fd:3,loopback=no", .loopback("no")), ("tap=a,loopback=off", .loopbackWithoutStream),
      ("tap=a,mac=1:2:3:4:5:6", .address("1:2:3:4:5:6")),
    ])
  func nonsense(_ text: String, _ fault: NetworkCardFault) {
    #expect(throws: fault) { try NetworkCard(text) }
  }

  @Test func rates() throws {
    let card = try NetworkCard("tap=a,rate=10M,burst=64K")
    #expect(card.rate == 10 << 20 && card.burst == 64 << 10)
    #expect(card.argument == "tap=a,rate=10485760,burst=65536")
    #expect(try NetworkCard("tap=a,rate=16G").rate == 16 << 30)
    for text in ["", "K", "1023", "17G", "-1K", "1T", "9223372036854775807G", "1.5M"] {
      #expect(throws: NetworkCardFault.size("rate", 1024...1 << 34)) { try NetworkCard("tap=a,rate=\(text)") }
    }
    #expect(throws: NetworkCardFault.burstWithoutRate) { try NetworkCard("tap=a,burst=1K") }
  }

  @Test(
    arguments: [
      "", "02:00:00:00:00", "02:00:00:00:00:01:02", "02-00-00-00-00-01", "03:00:00:00:00:01", "00:00:00:00:00:00",
      "ff:ff:ff:ff:ff:ff", "02:00:00:00:00:g1", "02:00:00:00:00:+1",
    ])
  func noAddress(_ text: String) { #expect(MACAddress(text) == nil) }

  @Test func addresses() {
    #expect(MACAddress("0A:0b:00:0C:fF:01")?.description == "0a:0b:00:0c:ff:01")
    let address = MACAddress.random()
    #expect(address.bytes[0] & 3 == 2 && MACAddress(address.description) == address)
    #expect(MACAddress.random() != MACAddress.random())
  }

  @Test func repeatedAddresses() throws {
    let one = try NetworkCard("tap=a,mac=02:00:00:00:00:01")
    let other = try NetworkCard("tap=b,mac=02:00:00:00:00:02")
    let any = try NetworkCard("tap=c")
    #expect(NetworkCard.repeatedAddress([one, other, any, any]) == nil)
    #expect(NetworkCard.repeatedAddress([one, any, one]) == one.address)
  }
}
