import Host

/// The nodes that the guest knows: by id, by name, and by host object for files of several names.
///
/// A node stays for as long as the guest holds lookups of it, or knows something inside it.
final class NodeTable {
  private let lock = Lock()
  private var slots: [Node?] = [nil, nil]
  private var generations: [UInt32] = [0, 0]
  private var free: [Int] = []
  private var names = NameTable()
  private var linked: [FileIdentity: Node] = [:]
  private let files: FileCache
  /// Descriptors that removed files may hold, and do.
  var pinLimit = 256
  private var pins = 0

  /// - Parameter files: what is open there of a node that goes is closed.
  init(files: FileCache) { self.files = files }

  /// Nodes known.
  var count: Int { lock.withLock { slots.count - 2 - free.count + (slots[1] == nil ? 0 : 1) } }

  // MARK: By id

  /// Nil for an id that was never given out, or was given back: what a guest makes up finds nothing.
  func node(_ id: UInt64) -> Node? {
    lock.withLock { find(id) }
  }

  private func find(_ id: UInt64) -> Node? {
    let slot = Int(id & 0xffff_ffff)
    guard slot < slots.count, let node = slots[slot], node.id == id else { return nil }
    return node
  }

  /// Makes room for a node; `make` gets its id.
  private func add(_ make: (UInt64) -> Node) -> Node {
    let slot: Int
    if let reused = free.popLast() {
      slot = reused
    } else {
      slot = slots.count
      slots.append(nil)
      generations.append(0)
    }
    let node = make(UInt64(generations[slot]) << 32 | UInt64(slot))
    slots[slot] = node
    return node
  }

  func addRoot(_ node: Node) {
    lock.withLock { slots[1] = node }
  }

  // MARK: By name

  /// The known node of a name, counted as looked up once more.
  func lookUp(_ parent: Node, _ name: Span<UInt8>) -> Node? {
    lock.withLock {
      guard let node = names.find(parent, name) else { return nil }
      node.lookups &+= 1
      return node
    }
  }

  /// The known node of a name, not counted: for use under the namespace lock.
  func peek(_ parent: Node, _ name: Span<UInt8>) -> Node? {
    lock.withLock { names.find(parent, name) }
  }

  /// The node of a name counted as looked up: the known one, the known one of the same file under another name, or what
  /// `make` makes.
  ///
  /// - Parameter linkedAs: the host object, for a file of several names.
  func enter(
    _ parent: Node, _ name: [UInt8], linkedAs identity: FileIdentity?, _ make: (UInt64) -> Node
  ) -> Node {
    lock.withLock {
      if let known = names.find(parent, name.span), !known.isRemoved {
        known.lookups &+= 1
        return known
      }
      if let identity, let known = linked[identity], !known.isRemoved {
        known.lookups &+= 1
        if known.parent == nil {
          known.parent = parent
          known.name = name
        } else {
          known.aliases.append(Node.Alias(parent: parent, name: name))
        }
        names.insert(known, parent, name.span)
        parent.holds += 1
        return known
      }
      let node = add(make)
      node.lookups = 1
      names.insert(node, parent, name.span)
      parent.holds += 1
      if let identity { linked[identity] = node }
      return node
    }
  }

  /// A node without a name, looked up once.
  func addAnonymous(_ make: (UInt64) -> Node) -> Node {
    lock.withLock {
      let node = add(make)
      node.lookups = 1
      return node
    }
  }

  /// Another name for a known node.
  func addName(_ node: Node, _ parent: Node, _ name: [UInt8]) {
    lock.withLock {
      if node.parent == nil {
        node.parent = parent
        node.name = name
      } else {
        node.aliases.append(Node.Alias(parent: parent, name: name))
      }
      names.insert(node, parent, name.span)
      parent.holds += 1
    }
  }

  /// Takes a name away. The first alias takes the place of the first name; without one the node has no name left.
  func removeName(_ node: Node, _ parent: Node, _ name: Span<UInt8>) {
    lock.withLock {
      guard node.isNamed(parent, name) else { return }
      names.remove(node, parent, name)
      if node.parent === parent, node.name.equals(name) {
        if node.aliases.isEmpty {
          node.parent = nil
          node.name = FileCalls.itself
        } else {
          let next = node.aliases.removeFirst()
          node.parent = next.parent
          node.name = next.name
        }
      } else {
        node.aliases.removeAll { $0.parent === parent && $0.name.equals(name) }
      }
      parent.holds -= 1
      sweep(parent)
    }
  }

  // MARK: By host object

  func link(_ identity: FileIdentity, to node: Node) {
    lock.withLock { linked[identity] = node }
  }

  func linkedNode(_ identity: FileIdentity) -> Node? {
    lock.withLock { linked[identity] }
  }

  func unlink(_ identity: FileIdentity) {
    lock.withLock { linked[identity] = nil }
  }

  // MARK: Counts

  /// Gives lookups back.
  func forget(_ id: UInt64, _ lookups: UInt64) {
    lock.withLock {
      guard let node = find(id) else { return }
      node.lookups = lookups >= node.lookups ? 0 : node.lookups - lookups
      sweep(node)
    }
  }

  /// Gives all lookups back: the guest has unmounted the tree.
  func forgetAll() {
    lock.withLock {
      for slot in slots.indices {
        guard let node = slots[slot] else { continue }
        node.lookups = 0
        sweep(node)
      }
    }
  }

  /// Keeps a node for ever.
  func hold(_ node: Node) {
    lock.withLock { node.holds += 1 }
  }

  /// Counts one more lookup of a node that the caller knows to be in the table.
  func countLookup(_ node: Node) {
    lock.withLock { node.lookups &+= 1 }
  }

  /// Lets a node hold a descriptor until it goes, if there are any to spare.
  func takePin(_ node: Node) -> Bool {
    lock.withLock {
      if node.hasPin { return true }
      guard pins < pinLimit else { return false }
      pins += 1
      node.hasPin = true
      return true
    }
  }

  /// Drops a node that nothing needs, and then what it alone kept.
  private func sweep(_ first: Node) {
    var next: Node? = first
    while let node = next, node.lookups == 0, node.holds == 0, node.isInTable, node.id != 1 {
      node.isInTable = false
      next = nil
      if let parent = node.parent {
        names.remove(node, parent, node.name.span)
        parent.holds -= 1
        next = parent
      }
      let aliases = node.aliases
      for alias in aliases {
        names.remove(node, alias.parent, alias.name.span)
        alias.parent.holds -= 1
      }
      if linked[node.identity] === node { linked[node.identity] = nil }
      if let origin = node.origin, linked[origin] === node { linked[origin] = nil }
      if node.hasPin { pins -= 1 }
      files.drop(node)
      let slot = Int(node.id & 0xffff_ffff)
      slots[slot] = nil
      // A slot whose generations are used up is never given out again.
      if generations[slot] < .max {
        generations[slot] += 1
        free.append(slot)
      }
      for alias in aliases where alias.parent !== next { sweep(alias.parent) }
    }
  }
}
