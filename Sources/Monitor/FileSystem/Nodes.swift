import Host
internal import State

/// What a node table knows, for use with its lock held: one value, so that each use checks once, and not for each of the
/// fields, that nobody else is at it.
struct Nodes {
  /// An id's lower half is the slot, its upper half how often the slot was given out before.
  private struct Slot {
    var node: Node?
    var generation: UInt32 = 0
  }

  private var slots = [Slot(), Slot()]
  private var free: [Int] = []
  private var names = NameTable()
  var linked: [FileIdentity: Node] = [:]
  private let files: FileCache
  /// Descriptors that removed files may hold, and do.
  var pinLimit = 256
  private var pins = 0

  init(files: FileCache) { self.files = files }

  var count: Int { slots.count - 2 - free.count + (slots[1].node == nil ? 0 : 1) }

  // MARK: By id

  func node(_ id: UInt64) -> Node? {
    let slot = Int(id & 0xffff_ffff)
    guard slot < slots.count, let node = slots[slot].node, node.id == id else { return nil }
    return node
  }

  mutating func setRoot(_ node: Node) { slots[1].node = node }

  /// Makes room for a node, looked up once; `make` gets its id.
  mutating func add(_ make: (UInt64) -> Node) -> Node {
    let slot: Int
    if let reused = free.popLast() {
      slot = reused
    } else {
      slot = slots.count
      slots.append(Slot())
    }
    let node = make(UInt64(slots[slot].generation) << 32 | UInt64(slot))
    node.lookups = 1
    slots[slot].node = node
    return node
  }

  // MARK: In a machine's state

  /// In the order of their slots.
  var all: [Node] { slots.compactMap(\.node) }

  /// The other slots, with how often each will have been given out before the next time.
  func freeSlots(keeping isKept: (Node) -> Bool) -> [(slot: UInt32, generation: UInt32)] {
    var free: [(slot: UInt32, generation: UInt32)] = []
    for index in slots.indices.dropFirst(2) {
      var generation = slots[index].generation
      if let node = slots[index].node {
        if isKept(node) { continue }
        if generation < .max { generation += 1 }
      }
      free.append((UInt32(index), generation))
    }
    return free
  }

  /// Adds the nodes of a state to those that are there from the start, which are among them.
  ///
  /// - Parameters:
  ///   - free: slots that nobody has.
  ///   - fault: thrown unless each slot and each name is there once.
  mutating func restore(
    _ restored: [Node], free: [(slot: UInt32, generation: UInt32)], linked: [(FileIdentity, Node)], _ fault: StateError
  ) throws(StateError) {
    let known = slots.count
    guard self.free.isEmpty, restored.count >= known - 1 else { throw fault }
    var isTaken = [Bool](repeating: false, count: restored.count + 1 + free.count)
    slots += [Slot](repeating: Slot(), count: isTaken.count - known)
    for node in restored {
      guard slots.indices.contains(node.slot), node.slot > 0, !isTaken[node.slot],
        slots[node.slot].node.map({ $0 === node }) ?? (node.slot >= known)
      else { throw fault }
      isTaken[node.slot] = true
      slots[node.slot] = Slot(node: node, generation: UInt32(truncatingIfNeeded: node.id >> 32))
    }
    for (slot, generation) in free {
      guard slot >= known, slot < slots.count, !isTaken[Int(slot)] else { throw fault }
      isTaken[Int(slot)] = true
      slots[Int(slot)].generation = generation
      if generation < .max { self.free.append(Int(slot)) }
    }
    for node in restored where !(node.isPinned && node.isDirectory || node.isRemoved) {
      guard let parent = node.parent else { throw fault }
      for place in [Node.Alias(parent: parent, name: node.name)] + node.aliases {
        // Another one, or this under the same name twice.
        guard find(place.parent, place.name.span) == nil else { throw fault }
        insertName(node, place.parent, place.name.span)
      }
    }
    for (identity, node) in linked {
      guard self.linked.updateValue(node, forKey: identity) == nil else { throw fault }
    }
  }

  // MARK: By name

  func find(_ parent: Node, _ name: Span<UInt8>) -> Node? { find(parent, name, names.hash(parent, name)) }

  /// - Parameter hash: of this directory and name.
  private func find(_ parent: Node, _ name: Span<UInt8>, _ hash: UInt64) -> Node? {
    names.find(hash) { slots[$0].node?.isNamed(parent, name) == true }.flatMap { slots[$0].node }
  }

  /// The node must be named so, and the name not in the table yet.
  private mutating func insertName(_ node: Node, _ parent: Node, _ name: Span<UInt8>) {
    guard isHere(node) else { return }
    names.insert(node.slot, names.hash(parent, name))
    parent.holds += 1
  }

  /// To be called while the node is still named so.
  private mutating func dropName(_ node: Node, _ parent: Node, _ name: Span<UInt8>) {
    guard isHere(node) else { return }
    names.remove(node.slot, names.hash(parent, name))
    parent.holds -= 1
  }

  /// False for a node that was dropped while a request still holds it: its slot may be another's by now.
  private func isHere(_ node: Node) -> Bool { slots[node.slot].node === node }

  mutating func enter(
    _ parent: Node, _ name: [UInt8], linkedAs identity: FileIdentity?, _ make: (UInt64) -> Node
  ) -> Node {
    let hash = names.hash(parent, name.span)
    if let known = find(parent, name.span, hash), !known.isRemoved {
      known.lookups &+= 1
      return known
    }
    if let identity, let known = linked[identity], !known.isRemoved {
      known.lookups &+= 1
      addName(known, parent, name)
      return known
    }
    let node = add(make)
    names.insert(node.slot, hash)
    parent.holds += 1
    if let identity { linked[identity] = node }
    return node
  }

  mutating func addName(_ node: Node, _ parent: Node, _ name: [UInt8]) {
    if node.parent == nil {
      node.parent = parent
      node.name = name
    } else {
      node.aliases.append(Node.Alias(parent: parent, name: name))
    }
    insertName(node, parent, name.span)
  }

  mutating func removeName(_ node: Node, _ parent: Node, _ name: Span<UInt8>) {
    guard node.isNamed(parent, name) else { return }
    dropName(node, parent, name)
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
    sweep(parent)
  }

  // MARK: Counts

  mutating func forget(_ id: UInt64, _ lookups: UInt64) {
    guard let node = node(id) else { return }
    node.lookups = lookups >= node.lookups ? 0 : node.lookups - lookups
    sweep(node)
  }

  mutating func forgetAll() {
    for slot in slots.indices {
      guard let node = slots[slot].node else { continue }
      node.lookups = 0
      sweep(node)
    }
  }

  /// Drops a node whatever the guest says that it has of it: nothing can be done with it any more.
  mutating func discard(_ node: Node) {
    node.lookups = 0
    // It stays for as long as the guest knows something in it, and is reached by no descriptor.
    dropPin(node)
    sweep(node)
  }

  var hasPinRoom: Bool { pins < pinLimit }

  mutating func dropPin(_ node: Node) {
    if node.hasPin { pins -= 1 }
    node.hasPin = false
  }

  mutating func takePin(_ node: Node) -> Bool {
    if node.hasPin { return true }
    guard pins < pinLimit else { return false }
    pins += 1
    node.hasPin = true
    return true
  }

  /// Drops a node that nothing needs, and then what it alone kept.
  private mutating func sweep(_ first: Node) {
    var next: Node? = first
    while let node = next, node.lookups == 0, node.holds == 0, node.isInTable, node.id != 1 {
      node.isInTable = false
      next = nil
      if let parent = node.parent {
        dropName(node, parent, node.name.span)
        next = parent
      }
      let aliases = node.aliases
      for alias in aliases { dropName(node, alias.parent, alias.name.span) }
      if linked[node.identity] === node { linked[node.identity] = nil }
      if let origin = node.origin, linked[origin] === node { linked[origin] = nil }
      dropPin(node)
      files.end(node)
      if node.allotment != nil { node.writeLayer?.allowance?.end(node) }
      let slot = node.slot
      slots[slot].node = nil
      // A slot whose generations are used up is never given out again.
      if slots[slot].generation < .max {
        slots[slot].generation += 1
        free.append(slot)
      }
      for alias in aliases where alias.parent !== next { sweep(alias.parent) }
    }
  }
}

extension Node {
  /// Where it is among the nodes, while it is one of them.
  var slot: Int { Int(id & 0xffff_ffff) }
}
