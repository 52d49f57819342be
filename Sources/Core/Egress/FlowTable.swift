/// What has begun to pass: connections of TCP, and exchanges of datagrams and echoes.
struct FlowTable {
  struct Key: Hashable {
    /// As in the packet's header.
    let kind: UInt8
    let guestPort: UInt16
    let remote: IPv4Address
    let remotePort: UInt16
  }

  /// By what something passes.
  enum Basis {
    /// It began on the link's side.
    case link
    case address
    /// These names; one alone, once a client has said which it means.
    case names([DomainName])
  }

  struct Flow {
    /// In nanoseconds of the caller's clock.
    var lastUse: UInt64
    var basis: Basis
    /// The sequence number of the guest's first byte, where what it says is looked at.
    var start: UInt32?
    /// What the other end has to acknowledge before data goes to it: that what is inspected is what it takes for the beginning.
    var awaited: UInt32?
    var hello: HelloInspection?
    /// Whether both ends have been heard.
    var isEstablished = false
    var isEnding = false

    /// Bytes that are held for it.
    fileprivate var held: Int { hello?.bytes.count ?? 0 }
  }

  private var flows: [Key: Flow] = [:]
  /// Bytes of hellos.
  private var held = 0

  /// Machines that reach so much at once lose what has expired, then datagrams that the link began, as anybody on it may, then what
  /// is ending, then what was used longest ago.
  static let limit = 4096
  /// So many at once, or each one more would have all of them looked at.
  static let batch = limit / 16
  private static let heldLimit = 4 << 20
  private static let second: UInt64 = 1_000_000_000
  /// RFC 5382, REQ-5: two hours and four minutes; RFC 4787, REQ-5: two minutes and more.
  private static let connectionTime: UInt64 = 7440
  private static let beginningTime: UInt64 = 240
  private static let datagramTime: UInt64 = 180

  var count: Int { flows.count }

  private static func time(_ key: Key, _ flow: Flow) -> UInt64 {
    if key.kind != IPv4Packet.tcp { return datagramTime * second }
    return (flow.isEstablished && !flow.isEnding ? connectionTime : beginningTime) * second
  }

  func find(_ key: Key, now: UInt64) -> Flow? {
    guard let flow = flows[key], !Self.hasExpired(key, flow, now) else { return nil }
    return flow
  }

  private static func hasExpired(_ key: Key, _ flow: Flow, _ now: UInt64) -> Bool {
    now &- flow.lastUse > time(key, flow)
  }

  /// - Parameter flow: in use now.
  mutating func set(_ key: Key, _ flow: Flow) {
    if flows[key] == nil, flows.count >= Self.limit { makeRoom(flow.lastUse) }
    held += flow.held - (flows[key]?.held ?? 0)
    flows[key] = flow
  }

  /// Lets go of what has expired, and of as much more as there must be room for: of flows a batch, of hellos' bytes half, so
  /// that the next ones do not come here again.
  mutating func makeRoom(_ now: UInt64) {
    for (key, flow) in flows where Self.hasExpired(key, flow, now) { remove(key) }
    if flows.count >= Self.limit {
      for (key, _) in Self.inOrder(flows).prefix(Self.batch) { remove(key) }
    }
    guard !canHold else { return }
    for (key, _) in Self.inOrder(flows.filter { $0.value.held > 0 }) where held > Self.heldLimit / 2 { remove(key) }
  }

  /// What goes first comes first.
  private static func inOrder(_ flows: [Key: Flow]) -> [(key: Key, value: Flow)] {
    flows.sorted { one, other in
      let (first, second) = (worth(one.key, one.value), worth(other.key, other.value))
      return first == second ? one.value.lastUse < other.value.lastUse : first < second
    }
  }

  private static func worth(_ key: Key, _ flow: Flow) -> Int {
    if case .link = flow.basis, key.kind == IPv4Packet.udp { return 0 }
    return flow.isEnding ? 1 : 2
  }

  /// Ends what does not hold any more.
  mutating func keep(where holds: (Key, Flow) -> Bool) {
    for (key, flow) in flows where !holds(key, flow) { remove(key) }
  }

  mutating func remove(_ key: Key) {
    guard let flow = flows.removeValue(forKey: key) else { return }
    held -= flow.held
  }

  /// Whether there is room for more of hellos.
  var canHold: Bool { held < Self.heldLimit }
}
