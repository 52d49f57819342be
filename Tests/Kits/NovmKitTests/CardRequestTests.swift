import Host
import Testing

@testable import NovmKit

struct CardRequestTests {
  @Test func guestsPartIsNotTheMonitors() throws {
    var request = try CardRequest(
      "tap=t0,ip=10.0.0.2/24,bridge=br0,ip=fd00::2/64,gateway=10.0.0.1,gateway=fd00::1,dns=10.0.0.3,mtu=9000")
    #expect(request.card.argument == "tap=t0,bridge=br0,mtu=9000,own=10.0.0.2+fd00::2")
    request.card.address = MACAddress("02:00:00:00:00:01")
    #expect(
      request.kernelArgument
        == "novm.nic=02:00:00:00:00:01,ip=10.0.0.2/24,ip=fd00::2/64,gateway=10.0.0.1,gateway=fd00::1,dns=10.0.0.3")
  }

  /// By addresses that novm gave, unless it is told not to.
  @Test(arguments: [
    ("tap=a,ip=10.0.0.2/24", "tap=a,own=10.0.0.2"), ("tap=a,ip=10.0.0.2/24,filter=off", "tap=a"), ("tap=a", "tap=a"),
    ("tap=a,ip=none", "tap=a"), ("tap=a,filter=off", "tap=a"),
  ])
  func cardsSpeakByTheirOwnAddresses(_ text: String, _ argument: String) throws {
    #expect(try CardRequest(text).card.argument == argument)
    #expect(throws: NovmError.card("tap=a,filter=on", .filterWithoutAddress)) { _ = try CardRequest("tap=a,filter=on") }
  }

  @Test(arguments: [("tap=a", ",ip=dhcp"), ("tap=a,ip=dhcp,dns=::1", ",ip=dhcp,dns=::1"), ("tap=a,ip=none", "")])
  func withoutAnAddress(_ text: String, _ rest: String) throws {
    var request = try CardRequest(text)
    request.card.address = MACAddress("02:00:00:00:00:01")
    #expect(request.kernelArgument == "novm.nic=02:00:00:00:00:01" + rest)
  }

  @Test(
    arguments: [
      ("ip=10.0.0.2/24", NetworkCardFault.noLink), ("tap=a,ip=10.0.0.2", .prefix("10.0.0.2")),
      ("tap=a,ip=10.0.0.2/33", .prefix("10.0.0.2/33")), ("tap=a,ip=10.0.0.256/24", .prefix("10.0.0.256/24")),
      ("tap=a,ip=fd00::/129", .prefix("fd00::/129")), ("tap=a,ip=10.0.0.2/+4", .prefix("10.0.0.2/+4")),
      ("tap=a,ip=", .prefix("")), ("tap=a,ip=10.0.0.2/24,ip=dhcp", .twice("ip")),
      ("tap=a,ip=10.0.0.2/24,ip=none", .twice("ip")), ("tap=a,ip=none,ip=10.0.0.2/24", .twice("ip")),
      ("tap=a,ip=none,gateway=x", .ipAddress("gateway", "x")),
      ("tap=a,dns=10.0.0.1/8", .ipAddress("dns", "10.0.0.1/8")),
      ("tap=a,gateway=10.0.0.1", .gatewayWithDHCP), ("tap=a,speed=1", .unknownKey("speed")),
    ])
  func nonsense(_ text: String, _ fault: NetworkCardFault) {
    #expect(throws: NovmError.card(text, fault)) { try CardRequest(text) }
  }

  @Test(arguments: [
    ("8080:80", "8080:80", PublishedPort.Transport.tcp), ("53:53/udp", "53:53", .udp),
    ("127.0.0.1:1:2/tcp", "127.0.0.1/1:2", .tcp), ("[::1]:1:2", "::1/1:2", .tcp),
  ])
  func publishedPorts(_ text: String, _ specification: String, _ transport: PublishedPort.Transport) throws {
    let port = try #require(PublishedPort(text))
    #expect(port.specification == specification && port.transport == transport)
  }

  @Test func publishedSockets() throws {
    let directory = Array("/here".utf8)
    func read(_ text: String) throws -> PublishedPort { try #require(PublishedPort(text, directory: directory)) }
    #expect(try read("./a:b:80").host == .socket(Array("/here/./a:b".utf8)))
    #expect(try read("/a/udp:/run/x/udp").guest == .socket(Array("/run/x/udp".utf8)))
    #expect(try read("[::1]:8080:/run/x:/y").host == .port(8080, address: "::1"))
    #expect(try read("[::1]:8080:/run/x:/y").guest == .socket(Array("/run/x:/y".utf8)))
    for text in ["./a:b:80", "/a:/b", "80:/b", "[::1]:1:2/udp", "127.0.0.1:1:2", "5:6/tcp"] {
      let port = try read(text)
      #expect(PublishedPort(port.argument) == port)
    }
  }

  @Test func publishedPortsAreOnTheLoopbackUnlessToldOtherwise() throws {
    func places(_ text: String) throws -> [String?] { try #require(PublishedPort(text)).listeners.map(\.specification) }
    #expect(try places("8080:80") == ["127.0.0.1/8080:80", "::1/8080:80"])
    #expect(try places("53:53/udp") == ["127.0.0.1/53:53", "::1/53:53"])
    #expect(try places("0.0.0.0:8080:80") == ["0.0.0.0/8080:80"])
    #expect(try #require(PublishedPort("8080:80")).listeners.map(\.isOptional) == [false, true])
    #expect(try !#require(PublishedPort("[::1]:8080:80")).listeners[0].isOptional)
    #expect(
      try #require(PublishedPort("8080:80/udp")).announcement
        == "127.0.0.1:8080 and [::1]:8080/udp lead to the machine's port 80")
    #expect(
      try #require(PublishedPort("[::]:8080:/run/x")).announcement == "[::]:8080 leads to the machine's /run/x")
  }

  @Test func rangesOfPorts() throws {
    func texts(_ text: String) -> [String]? { PublishedPort.ports(text)?.map(\.argument) }
    #expect(texts("8000-8002:80-82") == ["8000:80", "8001:81", "8002:82"])
    #expect(texts("[::1]:8000-8001:80-81/udp") == ["[::1]:8000:80/udp", "[::1]:8001:81/udp"])
    #expect(texts("8000:80") == ["8000:80"])
    #expect(texts("1-65535:1-65535")?.count == 65535)
    for text in ["8000-8002:80-81", "8002-8000:80-82", "8000-8001:80", "-1:1-2", "1-2-3:1-3", "1-2:1-2/x", "/a:1-2"] {
      #expect(texts(text) == nil)
    }
  }

  @Test(arguments: [
    "./a", "/a/:80", "/a:80/udp", "a:/x", ":/x",
    "", "80", ":80", "80:", "0:80", "80:65536", "1:2:3", "a:1:2", "80:80/sctp", "-1:2", "+1:2", "80:80/",
  ])
  func noPorts(_ text: String) { #expect(PublishedPort(text) == nil) }

  @Test func machineWithCards() throws {
    var request = MachineRequest()
    request.cards = [try CardRequest("tap=a,mac=02:00:00:00:00:01,ip=none"), try CardRequest("tap=b")]
    var kernel = KernelFiles(name: "k", release: "1", image: "/k/vmlinux", initramfs: "/k/i")
    kernel.furtherInitramfs = ["/k/n"]
    let machine = request.compose(kernel: kernel, scratch: "/w")
    let arguments = machine.arguments.map { String(decoding: $0, as: UTF8.self) }
    let address = try #require(machine.cards[1].card.address)
    #expect(arguments.filter { $0 == "--initramfs" }.count == 2 && arguments.contains("/k/n"))
    #expect(arguments.contains("tap=a,mac=02:00:00:00:00:01") && arguments.contains("tap=b,mac=\(address)"))
    let line = String(decoding: machine.kernelCommandLine, as: UTF8.self)
    #expect(line.contains(" novm.nic=02:00:00:00:00:01 novm.nic=\(address),ip=dhcp "))
    #expect(request.initramfsParts == [.network, .balloon])
    // Without a card there is no trace of one.
    request.cards = []
    kernel.furtherInitramfs = []
    #expect(request.initramfsParts == [.balloon])
    let bare = request.compose(kernel: kernel, scratch: "/w")
    #expect(!bare.arguments.contains(Array("/k/n".utf8)) && !bare.arguments.contains(Array("--nic".utf8)))
    #expect(!String(decoding: bare.kernelCommandLine, as: UTF8.self).contains("novm.nic"))
  }

  /// The monitor is told which datagrams passt leads in, those alone, where there is a list.
  @Test func listsKnowWhatIsLedIn() throws {
    var request = MachineRequest()
    var card = CardRequest(NetworkCard(.stream(3)))
    card.addresses = ["10.0.2.15/24"]
    card.resolvers = ["10.0.2.3"]
    let ports = try ["80:80", "127.0.0.1:53:53/udp", "[::1]:53:53/udp", "9000-9002:9000-9002/udp"].flatMap {
      try #require(PublishedPort.ports($0))
    }
    let kernel = KernelFiles(name: "k", release: "1", image: "/k/vmlinux")
    func egress() -> String? { request.compose(kernel: kernel, scratch: "/w", userCard: card, ledIn: ports).egress }
    #expect(egress() == nil)
    request.denied = ["10.0.0.0/8"]
    #expect(egress() == "10.0.2.15/24,dns=10.0.2.3,udp=53,udp=9000-9002")
    request.isClosed = true
    #expect(egress() == "10.0.2.15/24,dns=10.0.2.3,udp=53,udp=9000-9002,closed")
    let without = request.compose(kernel: kernel, scratch: "/w", userCard: card)
    #expect(without.egress == "10.0.2.15/24,dns=10.0.2.3,closed")
  }

  @Test func cardsThatDoNotGoTogether() throws {
    let limits = HostLimits(memory: MemorySize(mebibytes: 1 << 20))
    var request = MachineRequest()
    request.cards = [try CardRequest("tap=a,mac=02:00:00:00:00:01"), try CardRequest("tap=b,mac=02:00:00:00:00:01")]
    #expect(throws: NovmError.repeatedAddress(try #require(MACAddress("02:00:00:00:00:01")))) {
      try request.validate(host: limits)
    }
    request.cards = (0..<8).map { try! CardRequest("tap=t\($0)") }
    try request.validate(host: limits)
    request.network = .user
    #expect(throws: NovmError.tooManyCards(9)) { try request.validate(host: limits) }
  }
}
