import Glibc
import Host

/// A machine's user network: a `passt` of its own, which turns the guest's frames into sockets of this user's.
///
/// It speaks on one end of a socket pair, whose other end is only with novmm, and ends with that, so nothing of it stays
/// however novm and novmm end.
package final class UserNetwork: PollSource {
  /// The guest's addresses on its side of passt. The gateway may lead to the host's loopback; the resolver leads to the host's own.
  private static let address = "10.0.2.15"
  private static let prefixLength = 24
  private static let gateway = "10.0.2.2"
  private static let resolver = "10.0.2.3"
  /// What passt(1) takes: large packets cost no more than small ones.
  private static let mtu = 65520

  private let identifier: pid_t
  private let errors: FileDescriptor
  private var output: [UInt8] = []
  private var guestEnd: FileDescriptor?

  private var hasEnded = false
  /// How it failed, in its own last words if it had any; nil while it runs, and when it ended because novmm did.
  package private(set) var failure: String?
  package var onFailure: (String) -> Void = { _ in }

  /// The card for the guest, whose other end this is.
  package let card: CardRequest

  /// Those of the published ports that it sees to.
  package let ports: [PublishedPort]

  /// - Parameters:
  ///   - program: the path of passt.
  ///   - hasLoopback: whether the guest reaches the host's loopback.
  package init(program: String, published: [PublishedPort], hasLoopback: Bool) throws(NovmError) {
    let ports = try Self.ports(of: published, by: program)
    self.ports = ports
    let errors = try Program.pipe()
    do { try errors.reader.setNonblocking() } catch { throw .call("fcntl", error) }
    let (one, other) = try Self.pair()
    let guestEnd = FileDescriptor(owning: one)
    let ours = FileDescriptor(owning: other)
    var words = [
      "--foreground", "--fd", "\(ours.raw)", "--mtu", "\(Self.mtu)", "--address", Self.address,
      "--netmask", "\(Self.prefixLength)", "--gateway", Self.gateway, "--dns-forward", Self.resolver,
    ]
    // Older ones let frames that are for 127.0.0.1 itself through all the same, which novmm therefore drops.
    if !hasLoopback { words.append("--no-map-gw") }
    for port in ports {
      guard let specification = port.specification else { continue }
      words += [port.transport == .tcp ? "--tcp-ports" : "--udp-ports", specification]
    }
    identifier = try Program.start(
      program, words.map { Array($0.utf8) }, errors: errors.writer.raw, inherited: [ours.raw])
    self.errors = errors.takeReader()
    var card = NetworkCard(.stream(guestEnd.raw))
    card.address = .random()
    card.mtu = Self.mtu
    card.sendsToLoopback = hasLoopback
    var request = CardRequest(card)
    request.addresses = ["\(Self.address)/\(Self.prefixLength)"]
    request.gateways = [Self.gateway]
    request.resolvers = [Self.resolver]
    self.card = request
    self.guestEnd = consume guestEnd
    _ = consume ours
  }

  private static func pair() throws(NovmError) -> (Int32, Int32) {
    do { return try Host.UnixSocket.pair().split() } catch { throw .call("socketpair", error) }
  }

  deinit {
    guard !hasEnded else { return }
    Glibc.kill(identifier, SIGKILL)
    _ = wait()
  }

  /// novmm has its end, so that it alone keeps passt alive.
  package func handedOver() { guestEnd = nil }

  /// The path of passt; nil if it is not installed.
  package static func find() -> String? {
    let directories = unsafe getenv("PATH").map { unsafe String(cString: $0) } ?? "/usr/local/bin:/usr/bin:/bin"
    for directory in directories.split(separator: ":") {
      let path = "\(directory)/passt"
      if unsafe access(path, X_OK) == 0 { return path }
    }
    return nil
  }

  /// The ports that a passt can see to. The others are led in without it (``PortForwards``): Unix sockets, which it does not
  /// know, what the host may have no address for, and all of them unless it is known to be new enough.
  static func ports(of published: [PublishedPort], by program: String) throws(NovmError) -> [PublishedPort] {
    let possible = published.filter { $0.specification != nil && !$0.isOptional }
    if possible.isEmpty { return [] }
    let words = try ProgramOutput(of: program, ["--version"], limit: versionLimit).output
    if let version = PasstVersion(words), version >= .leadsInWell { return possible }
    return []
  }

  /// How long passt may take to say its version, in milliseconds.
  private static let versionLimit: UInt64 = 5000

  package var interest: PollInterest? { !hasEnded ? PollInterest(errors.raw, POLLIN) : nil }

  package func ready(_ events: Int32) throws(NovmError) {
    switch InputChunk.read(errors.raw, into: &output, limit: 4096) {
    case .none: return
    case .bytes: output = Array(output.suffix(4096))
    case .end:
      let status = wait()
      hasEnded = true
      guard status != 0 else { return }
      let line = output.split(separator: UInt8(ascii: "\n")).last.map { String(printable: Array($0)) }
      let signal = status & 0x7f
      // What it says before a signal has nothing to do with it.
      let words = signal != 0 ? "ended by signal \(signal)" : line ?? "ended with status \(status >> 8 & 0xff)"
      failure = words
      onFailure(words)
    }
  }

  private func wait() -> Int32 {
    var status: Int32 = 0
    while unsafe waitpid(identifier, &status, 0) < 0 && Errno.current == Errno(EINTR) {}
    return status
  }
}
