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

  /// Machines that reach so much at once lose what was used longest ago.
  static let limit = 4096
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
    guard let flow = flows[key], now &- flow.lastUse <= Self.time(key, flow) else { return nil }
    return flow
  }

  mutating func set(_ key: Key, _ flow: Flow) {
    let before = flows[key]
    if before == nil, flows.count >= Self.limit, let oldest = flows.min(by: { $0.value.lastUse < $1.value.lastUse }) {
      remove(oldest.key)
    }
    held += flow.held - (before?.held ?? 0)
    flows[key] = flow
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
