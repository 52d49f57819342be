import Host
internal import State

/// The nodes that the guest knows: by id, by name, and by host object for files of several names.
///
/// A node stays for as long as the guest holds lookups of it, or knows something inside it.
final class NodeTable {
  private let lock = Lock()
  private var nodes: Nodes

  /// - Parameter files: what is open there of a node that goes is closed.
  init(files: FileCache) { nodes = Nodes(files: files) }

  /// How many descriptors removed files may hold.
  var pinLimit: Int {
    get { lock.withLock { nodes.pinLimit } }
    set { lock.withLock { nodes.pinLimit = newValue } }
  }

  /// Nodes known.
  var count: Int { lock.withLock { nodes.count } }

  func addRoot(_ node: Node) {
    lock.withLock { nodes.setRoot(node) }
  }

  /// The node of an id. Nil for one that was never given out, or was given back: what a guest makes up finds nothing.
  func node(_ id: UInt64) -> Node? {
    lock.withLock { nodes.node(id) }
  }

  // MARK: In a machine's state

  /// In the order of their slots.
  var all: [Node] { lock.withLock { nodes.all } }

  func freeSlots(keeping isKept: (Node) -> Bool) -> [(slot: UInt32, generation: UInt32)] {
    lock.withLock { nodes.freeSlots(keeping: isKept) }
  }

  func restore(
    _ restored: [Node], free: [(slot: UInt32, generation: UInt32)], linked: [(FileIdentity, Node)], _ fault: StateError
  ) throws(StateError) {
    try lock.withLock { () throws(StateError) in
      try nodes.restore(restored, free: free, linked: linked, fault)
    }
  }

  // MARK: By name

  /// The known node of a name, counted as looked up once more.
  func lookUp(_ parent: Node, _ name: Span<UInt8>) -> Node? {
    lock.withLock {
      guard let node = nodes.find(parent, name) else { return nil }
      node.lookups &+= 1
      return node
    }
  }

  /// The known node of a name, not counted: for use under the namespace lock.
  func peek(_ parent: Node, _ name: Span<UInt8>) -> Node? {
    lock.withLock { nodes.find(parent, name) }
  }

  /// The node of a name counted as looked up: the known one, the known one of the same file under another name, or what
  /// `make` makes.
  ///
  /// - Parameter linkedAs: the host object, for a file of several names.
  func enter(
    _ parent: Node, _ name: [UInt8], linkedAs identity: FileIdentity?, _ make: (UInt64) -> Node
  ) -> Node {
    lock.withLock { nodes.enter(parent, name, linkedAs: identity, make) }
  }

  /// A node without a name, looked up once.
  func addAnonymous(_ make: (UInt64) -> Node) -> Node {
    lock.withLock { nodes.add(make) }
  }

  /// Another name for a known node.
  func addName(_ node: Node, _ parent: Node, _ name: [UInt8]) {
    lock.withLock { nodes.addName(node, parent, name) }
  }

  /// Takes a name away. The first alias takes the place of the first name; without one the node has no name left.
  func removeName(_ node: Node, _ parent: Node, _ name: Span<UInt8>) {
    lock.withLock { nodes.removeName(node, parent, name) }
  }

  // MARK: By host object

  func link(_ identity: FileIdentity, to node: Node) {
    lock.withLock { nodes.linked[identity] = node }
  }

  func linkedNode(_ identity: FileIdentity) -> Node? {
    lock.withLock { nodes.linked[identity] }
  }

  func unlink(_ identity: FileIdentity) {
    lock.withLock { nodes.linked[identity] = nil }
  }

  // MARK: Counts

  /// Gives lookups back.
  func forget(_ id: UInt64, _ lookups: UInt64) {
    lock.withLock { nodes.forget(id, lookups) }
  }

  /// Gives all lookups back: the guest has unmounted the tree.
  func forgetAll() {
    lock.withLock { nodes.forgetAll() }
  }

  /// Keeps a node for ever.
  func hold(_ node: Node) {
    lock.withLock { node.holds += 1 }
  }

  /// Counts one more lookup of a node that the caller knows to be in the table.
  func countLookup(_ node: Node) {
    lock.withLock { node.lookups &+= 1 }
  }

  /// Drops a node without a name that nothing leads to: to the guest it is stale, whatever it still holds of it, and so it would
  /// be for ever.
  func discard(_ node: Node) {
    lock.withLock { nodes.discard(node) }
  }

  /// Whether a node may hold a descriptor that does not yet.
  var hasPinRoom: Bool { lock.withLock { nodes.hasPinRoom } }

  func hasPin(_ node: Node) -> Bool { lock.withLock { node.hasPin } }

  /// A node needs no descriptor any more to be reached.
  func dropPin(_ node: Node) {
    lock.withLock { nodes.dropPin(node) }
  }

  /// Lets a node hold a descriptor until it goes, if there are any to spare.
  func takePin(_ node: Node) -> Bool {
    lock.withLock { nodes.takePin(node) }
  }
}
