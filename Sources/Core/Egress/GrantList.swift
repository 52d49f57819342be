/// What a machine may reach by its card.
package struct GrantList: Sendable {
  package private(set) var allowed: [Grant] = []
  package private(set) var denied: [Grant] = []
  /// Whether nothing passes but what is allowed.
  package var isClosed: Bool
  /// Whether a server's name may be hidden from the list (TLS Encrypted Client Hello).
  package var allowsHiddenNames: Bool

  /// More than anybody writes down, and as many as may be asked for each frame.
  package static let limit = 256

  package init(isClosed: Bool = true, allowsHiddenNames: Bool = false) {
    self.isClosed = isClosed
    self.allowsHiddenNames = allowsHiddenNames
  }

  /// - Returns: false where the list is full, and does not have it yet.
  package mutating func allow(_ grant: Grant) -> Bool { Self.add(grant, to: &allowed) }

  package mutating func deny(_ grant: Grant) -> Bool { Self.add(grant, to: &denied) }

  private static func add(_ grant: Grant, to list: inout [Grant]) -> Bool {
    if list.contains(grant) { return true }
    guard list.count < limit else { return false }
    list.append(grant)
    return true
  }

  /// How a list becomes another.
  package enum Change: CaseIterable, Sendable {
    case allow, deny
    /// What was allowed or denied is so no more.
    case remove

    package var word: StaticString {
      switch self {
      case .allow: "allow"
      case .deny: "deny"
      case .remove: "remove"
      }
    }
  }

  /// - Parameter text: a grant; or `ech`, allowed or no more, for hidden names.
  /// - Returns: false where the text is no grant, the list is full, or nothing is there to be removed.
  package mutating func make(_ change: Change, _ text: [UInt8]) -> Bool {
    if text.elementsEqual("ech".utf8) {
      guard change != .deny, change == .allow || allowsHiddenNames else { return false }
      allowsHiddenNames = change == .allow
      if change == .allow { isClosed = true }
      return true
    }
    guard let grant = Grant(text) else { return false }
    switch change {
    case .allow:
      isClosed = true
      return allow(grant)
    case .deny: return deny(grant)
    case .remove:
      let count = allowed.count + denied.count
      allowed.removeAll { $0 == grant }
      denied.removeAll { $0 == grant }
      return allowed.count + denied.count < count
    }
  }

  /// By what something may be reached.
  enum Permission: Equatable {
    case none
    /// Whoever is there.
    case address
    /// As one of these names, which the server is to be called by.
    case names
  }

  /// Whether a name may be asked for.
  func permits(_ name: DomainName) -> Bool {
    if denied.contains(where: { $0.port == nil && $0.transport == nil && $0.covers(name) }) { return false }
    return !isClosed || allowed.contains { $0.covers(name) }
  }

  /// - Parameter names: those for which the address was an answer.
  func permission(
    _ address: IPv4Address, names: [DomainName], port: UInt16, _ transport: Grant.Transport
  ) -> Permission {
    if denied.contains(where: { $0.covers(port: port, transport) && $0.covers(address) }) { return .none }
    let left = names.filter { isNotDenied($0, port, transport) }
    // Name servers besides the machine's own would tell other answers: only where the port is named.
    let isNameServer = port == 53 || transport == .tcp && port == 853
    if !isClosed {
      // What is only reached by names that are denied is denied, too.
      if isNameServer || left.isEmpty && !names.isEmpty { return .none }
      return hasDeniedNames ? .names : .address
    }
    for grant in allowed where grant.covers(port: port, transport) && grant.covers(address) {
      if grant.port != nil || !isNameServer { return .address }
    }
    if isNameServer { return .none }
    return left.contains { isAllowed($0, port, transport) } ? .names : .none
  }

  /// Whether the server at this port may be called by this name, which its client said it is.
  func permits(_ name: DomainName, port: UInt16, _ transport: Grant.Transport) -> Bool {
    isNotDenied(name, port, transport) && (!isClosed || isAllowed(name, port, transport))
  }

  /// Whether any address of this kind of packet may be reached at all, not only ports of it.
  func permitsAll(_ address: IPv4Address) -> Bool {
    if denied.contains(where: { $0.covers(address) }) { return false }
    return !isClosed || allowed.contains { $0.port == nil && $0.transport == nil && $0.covers(address) }
  }

  private var hasDeniedNames: Bool {
    denied.contains { grant in
      if case .addresses = grant.target { return false }
      return true
    }
  }

  private func isAllowed(_ name: DomainName, _ port: UInt16, _ transport: Grant.Transport) -> Bool {
    allowed.contains { $0.covers(port: port, transport) && $0.covers(name) }
  }

  private func isNotDenied(_ name: DomainName, _ port: UInt16, _ transport: Grant.Transport) -> Bool {
    !denied.contains { $0.covers(port: port, transport) && $0.covers(name) }
  }
}
