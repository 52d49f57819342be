/// From a directory and a name to the node that the guest knows there: a hash table with linear probing, which looks up
/// without allocating. Guarded by the node table's lock.
struct NameTable {
  private enum Mark {
    static let free: UInt64 = 0
    static let removed: UInt64 = 1
  }

  private var hashes: [UInt64]
  private var nodes: [Node?]
  private(set) var count = 0
  /// Slots that are not free, removed ones among them.
  private var used = 0
  /// Guests choose names: without it they could choose ones that collide.
  private let seed: UInt64

  init() {
    hashes = [UInt64](repeating: Mark.free, count: 1024)
    nodes = [Node?](repeating: nil, count: 1024)
    seed = UInt64.random(in: .min ... .max)
  }

  func hash(_ parent: Node, _ name: Span<UInt8>) -> UInt64 {
    var hash = seed ^ (parent.id &* 0x9e37_79b9_7f4a_7c15)
    for index in name.indices { hash = ((hash ^ UInt64(name[index])) &* 0x100_0000_01b3) ^ (hash >> 47) }
    hash ^= hash >> 32
    return hash <= Mark.removed ? hash &+ 2 : hash
  }

  func find(_ parent: Node, _ name: Span<UInt8>) -> Node? { find(parent, name, hash(parent, name)) }

  /// - Parameter hash: of this directory and name.
  func find(_ parent: Node, _ name: Span<UInt8>, _ hash: UInt64) -> Node? {
    let mask = hashes.count - 1
    var slot = Int(truncatingIfNeeded: hash) & mask
    while hashes[slot] != Mark.free {
      if hashes[slot] == hash, let node = nodes[slot], node.isNamed(parent, name) { return node }
      slot = (slot + 1) & mask
    }
    return nil
  }

  /// The node must be named so, and the name not in the table yet.
  mutating func insert(_ node: Node, _ parent: Node, _ name: Span<UInt8>) { insert(node, hash(parent, name)) }

  mutating func insert(_ node: Node, _ hash: UInt64) {
    if (used + 1) * 4 > hashes.count * 3 { rehash() }
    place(node, hash)
    count += 1
  }

  private mutating func place(_ node: Node, _ hash: UInt64) {
    let mask = hashes.count - 1
    var slot = Int(truncatingIfNeeded: hash) & mask
    while hashes[slot] > Mark.removed { slot = (slot + 1) & mask }
    if hashes[slot] == Mark.free { used += 1 }
    hashes[slot] = hash
    nodes[slot] = node
  }

  /// To be called while the node is still named so.
  mutating func remove(_ node: Node, _ parent: Node, _ name: Span<UInt8>) {
    let hash = hash(parent, name)
    let mask = hashes.count - 1
    var slot = Int(truncatingIfNeeded: hash) & mask
    while hashes[slot] != Mark.free {
      if hashes[slot] == hash, nodes[slot] === node {
        hashes[slot] = Mark.removed
        nodes[slot] = nil
        count -= 1
        return
      }
      slot = (slot + 1) & mask
    }
  }

  private mutating func rehash() {
    let (oldHashes, oldNodes) = (hashes, nodes)
    let size = count * 2 > oldHashes.count ? oldHashes.count * 2 : oldHashes.count
    hashes = [UInt64](repeating: Mark.free, count: size)
    nodes = [Node?](repeating: nil, count: size)
    used = 0
    for slot in oldHashes.indices where oldHashes[slot] > Mark.removed {
      if let node = oldNodes[slot] { place(node, oldHashes[slot]) }
    }
  }
}
