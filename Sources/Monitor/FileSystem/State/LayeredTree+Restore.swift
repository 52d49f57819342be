import Host
import LittleEndian
internal import State

/// Taking over the nodes of a state. Nothing of the host is looked at but what the guest's window shows: each node is, when it is
/// first used (`recognize`).
extension LayeredTree {
  /// What the layers are, as far as a state goes by it.
  ///
  /// - Throws: for a tree of other maps.
  func restoreShape(from fields: inout FieldReader) throws(StateError) -> LayerDevices {
    listingSeed = try fields.number(TreeField.listingSeed)
    var time = try ColumnReader(TreeField.started, of: &fields)
    started = try time.time()
    try time.finish()
    var moments = try ColumnReader(TreeField.moments, of: &fields)
    self.moments = []
    while !moments.isAtEnd { self.moments.append(try moments.time()) }
    guard (1...Self.mostMoments).contains(self.moments.count) else { throw moments.fault }
    var devices = LayerDevices()
    var column = try ColumnReader(TreeField.layers, of: &fields)
    for layer in layers {
      let kind: [UInt8] = [try column.number(), try column.number()]
      let device: UInt64 = try column.number()
      guard kind == layer.stateKind, try column.text() == layer.map.guestPath.bytes[...] else { throw column.fault }
      devices.add(device, now: layer.device)
    }
    try column.finish()
    return devices
  }

  /// - Parameter isStateless: whether the client does not tell what it opens.
  func restoreNodes(
    from fields: inout FieldReader, _ devices: LayerDevices, isStateless: Bool
  ) throws(StateError) {
    var rows = RestoredRows(self, devices)
    var removed: [(node: Node, opens: Int)] = []
    do throws(StateError) {
      try rows.read(&fields, isStateless: isStateless)
      removed = try restoreRemoved(from: &fields, isStateless: isStateless)
      guard rows.opens.count + removed.count(where: { $0.opens > 0 }) <= files.holdLimit else {
        throw fields.fault(TreeField.opens)
      }
      try nodes.restore(
        rows.nodes + removed.map(\.node), free: try free(&fields), linked: rows.linked, fields.fault(TreeField.ids))
      try restoreRanges(&fields, rows.nodes)
    } catch {
      // A row of directories one in the other would end on the stack.
      rows.forget()
      throw error
    }
    for (node, count) in rows.opens + removed where count > 0 { files.hold(node, times: count) }
  }

  private func free(_ fields: inout FieldReader) throws(StateError) -> [(slot: UInt32, generation: UInt32)] {
    var free: [(slot: UInt32, generation: UInt32)] = []
    var column = try ColumnReader(TreeField.free, of: &fields)
    while !column.isAtEnd { free.append((try column.number(), try column.number())) }
    return free
  }

  /// The guest will not map it again: what it sees in its window has to be there before it runs.
  private func restoreRanges(_ fields: inout FieldReader, _ nodes: [Node]) throws(StateError) {
    guard try fields.number(TreeField.window) == UInt64(mapped?.window.count ?? 0) else {
      throw fields.fault(TreeField.window)
    }
    var column = try ColumnReader(TreeField.ranges, of: &fields)
    while !column.isAtEnd {
      let index: UInt32 = try column.number()
      let node = nodes[try column.index(of: nodes.count)]
      let offset: UInt64 = try column.number()
      let count: UInt32 = try column.number()
      let isWritable: UInt8 = try column.number()
      guard let mapped, isWritable <= 1, isWritable == 0 || node.isUpper else { throw column.fault }
      do throws(Errno) {
        let file = try file(of: node, forWriting: isWritable == 1)
        try namespace.withReadLock { () throws(Errno) in
          try mapped.map(
            node, file, fileOffset: offset, count: UInt64(count), isWritable: isWritable == 1,
            at: UInt64(index) * UInt64(MappedRanges.rangeSize))
        }
      } catch {
        throw column.fault
      }
    }
  }

  // MARK: First use

  /// Whether the host has what a node stood for when its state was written. Of a file of that time its number may be another's by
  /// now, which was made since.
  private func isSame(_ status: FileStatus, as node: Node) -> Bool {
    guard status.device == node.identity.device, status.inode == node.identity.inode,
      status.isDirectory == node.isDirectory, status.isSymlink == node.isSymlink
    else { return false }
    guard let moment = node.unseen, status.hasBirthTime, moments.indices.contains(moment) else { return true }
    return status.born <= moments[moment]
  }

  /// Looks at a node of a state when it is first used. The namespace lock is held.
  ///
  /// - Throws: `stale` for what is no longer what it was.
  func recognize(_ node: Node, _ place: Place) throws(Errno) {
    // It stands for its name, whatever has that.
    if node.isSharedFile { return node.wasSeen() }
    let status: FileStatus
    do throws(Errno) {
      status = try FileCalls.status(place.base.raw, place.name.span)
    } catch {
      throw error == .notFound || error == .notDirectory ? .stale : error
    }
    guard isSame(status, as: node) else { throw .stale }
    // Of a directory that is reached by a descriptor its part was looked at.
    if place.name.count > 1, node.topLayer?.isKernelView(status, place.base, place.name.span) == true { throw .stale }
    node.wasSeen()
  }

  /// Looks at a directory of one layer when it is first opened. The namespace lock is held.
  func recognize(
    _ part: DirectoryPart, of node: Node, _ opened: SharedDescriptor, in above: SharedDescriptor
  ) throws(Errno) {
    let status = try FileCalls.status(opened.raw)
    guard !part.layer.isKernelView(status, above, node.name.span), part !== node.topPart || isSame(status, as: node)
    else { throw .stale }
    part.wasSeen()
  }
}

/// What numbers the devices have now that the layers lay on when a state was written.
struct LayerDevices {
  private var devices: [(then: UInt64, now: UInt64)] = []

  mutating func add(_ then: UInt64, now: UInt64) { devices.append((then, now)) }

  func identity(rank: Int, device: UInt64, inode: UInt64) -> FileIdentity {
    let known = devices.indices.contains(rank) && devices[rank].then == device
    return FileIdentity(rank: rank, device: known ? devices[rank].now : device, inode: inode)
  }
}

/// The nodes of a state, while they are read. Of directories that are there from the start it has those.
private struct RestoredRows {
  private let tree: LayeredTree
  private let devices: LayerDevices
  private(set) var nodes: [Node] = []
  private(set) var linked: [(FileIdentity, Node)] = []
  private(set) var opens: [(Node, Int)] = []
  private var kinds: [NodeKind] = []

  init(_ tree: LayeredTree, _ devices: LayerDevices) {
    self.tree = tree
    self.devices = devices
  }

  mutating func read(_ fields: inout FieldReader, isStateless: Bool) throws(StateError) {
    try readNodes(&fields)
    let parents = try readParents(&fields)
    try readLowerParts(&fields)
    try place(parents, fields.fault(TreeField.parents))
    try readAliases(&fields)
    try readOrigins(&fields)
    try readRest(&fields, isStateless: isStateless)
    for (node, kind) in zip(nodes, kinds) where !node.isPinned || !node.isDirectory {
      if kind.has(NodeKind.isLinked) { linked.append((node.identity, node)) }
      guard kind.has(NodeKind.isLinkedByOrigin) else { continue }
      guard let origin = node.origin else { throw fields.fault(TreeField.origins) }
      linked.append((origin, node))
    }
  }

  /// Takes apart what has been read, of which nothing is used.
  func forget() {
    for node in nodes where !(node.isPinned && node.isDirectory) {
      node.parent = nil
      node.aliases = []
    }
  }

  // MARK: Columns

  private mutating func readNodes(_ fields: inout FieldReader) throws(StateError) {
    var ids = try ColumnReader(TreeField.ids, of: &fields)
    var lookups = try ColumnReader(TreeField.lookups, of: &fields)
    var kinds = try ColumnReader(TreeField.kinds, of: &fields)
    var inodes = try ColumnReader(TreeField.inodes, of: &fields)
    var names = try ColumnReader(TreeField.names, of: &fields)
    var devices = try ColumnReader(TreeField.devices, of: &fields)
    var hostInodes = try ColumnReader(TreeField.hostInodes, of: &fields)
    var ranks = try ColumnReader(TreeField.ranks, of: &fields)
    var writeRanks = try ColumnReader(TreeField.writeRanks, of: &fields)
    var seen = try ColumnReader(TreeField.seen, of: &fields)
    var pinned = 0
    while !ids.isAtEnd {
      let id: UInt64 = try ids.number()
      let kind = NodeKind(rawValue: try kinds.number())
      guard kind.isKnown else { throw kinds.fault }
      let inode: UInt64 = try inodes.number()
      let name = try names.name()
      let (device, hostInode): (UInt64, UInt64) = (try devices.number(), try hostInodes.number())
      let (rank, writeRank): (UInt16, UInt16) = (try ranks.number(), try writeRanks.number())
      let moment: UInt8 = try seen.number()
      let node: Node
      if kind.has(NodeKind.isPinned) {
        guard let known = tree.nodes.node(id), known.isPinned, known.isDirectory, kind.type == FileType.directory,
          known.name == name
        else { throw kinds.fault }
        pinned += 1
        known.inode = inode
        node = known
      } else {
        guard let layer = tree.layer(rank), name.count > 1, kind.type != FileType.directory || layer.file == nil else {
          throw ranks.fault
        }
        let writeLayer = tree.layer(writeRank)
        // Of a share only what is its own can be changed there.
        guard
          writeRank == .max || writeLayer?.isWriteMap == true
            || writeLayer === layer && layer.isWritable && !kind.has(NodeKind.isBare)
        else { throw writeRanks.fault }
        guard Int(moment) < tree.moments.count else { throw seen.fault }
        node = Node(
          id: id, type: kind.type, inode: inode, parent: nil, name: name,
          identity: self.devices.identity(rank: layer.rank, device: device, inode: hostInode), writeLayer: writeLayer,
          caching: layer.caching)
        node.isMappable = kind.has(NodeKind.isMappable)
        if !node.isDirectory {
          node.layer = layer
          node.isPinned = layer.file != nil && layer.isShare
        } else if !kind.has(NodeKind.isBare) {
          node.parts = [DirectoryPart(restoredOf: layer)]
        }
        node.isRestored(at: Int(moment))
      }
      node.lookups = try lookups.number()
      if kind.has(NodeKind.mayBeSealed) { node.maySeal() }
      nodes.append(node)
      self.kinds.append(kind)
    }
    // The root comes first, and no directory that is there from the start is missing.
    guard nodes.first === tree.root, pinned == tree.pinnedCount else { throw ids.fault }
    for column in [lookups, kinds, inodes, names, devices, hostInodes, ranks, writeRanks, seen] { try column.finish() }
  }

  /// - Returns: by row, that of the directory that it is in.
  private func readParents(_ fields: inout FieldReader) throws(StateError) -> [Int] {
    var column = try ColumnReader(TreeField.parents, of: &fields)
    var parents: [Int] = []
    for _ in nodes { parents.append(try column.index(of: nodes.count)) }
    try column.finish()
    // All ways lead to the root.
    var leads = [Bool](repeating: false, count: nodes.count)
    leads[0] = true
    for row in nodes.indices {
      var way: [Int] = []
      var next = row
      while !leads[next] {
        way.append(next)
        next = parents[next]
        guard way.count <= nodes.count, nodes[next].isDirectory else { throw column.fault }
      }
      for row in way { leads[row] = true }
    }
    return parents
  }

  private mutating func readLowerParts(_ fields: inout FieldReader) throws(StateError) {
    var column = try ColumnReader(TreeField.lowerParts, of: &fields)
    while !column.isAtEnd {
      let node = nodes[try column.index(of: nodes.count)]
      guard let layer = tree.layer(try column.number()), let last = node.parts.last, !node.isPinned,
        layer.rank > last.layer.rank, layer.file == nil, node.writeLayer?.isShare != true
      else { throw column.fault }
      node.parts = node.parts + [DirectoryPart(restoredOf: layer)]
    }
  }

  private func place(_ parents: [Int], _ fault: StateError) throws(StateError) {
    for row in nodes.indices.dropFirst() {
      let (node, parent) = (nodes[row], nodes[parents[row]])
      if node.isPinned, node.isDirectory {
        guard node.parent === parent else { throw fault }
        continue
      }
      try check(node, parent, node.name, fault)
      node.parent = parent
    }
  }

  /// A name that a node may have in a directory.
  private func check(_ node: Node, _ parent: Node, _ name: [UInt8], _ fault: StateError) throws(StateError) {
    guard parent.isDirectory, !tree.isReserved(parent, name.span) else { throw fault }
    if let layer = node.layer, layer.file != nil {
      guard parent.file(name.span) === layer else { throw fault }
    }
    let isOfReadLayer = node.isDirectory ? node.parts.contains { $0.layer.isRead } : node.layer?.isRead == true
    guard !isOfReadLayer || !parent.hides(name.span) else { throw fault }
  }

  private func readAliases(_ fields: inout FieldReader) throws(StateError) {
    var column = try ColumnReader(TreeField.aliases, of: &fields)
    while !column.isAtEnd {
      let node = nodes[try column.index(of: nodes.count)]
      let parent = nodes[try column.index(of: nodes.count)]
      let name = try column.name()
      guard !node.isDirectory, name.count > 1 else { throw column.fault }
      try check(node, parent, name, column.fault)
      node.aliases.append(Node.Alias(parent: parent, name: name))
    }
  }

  private func readOrigins(_ fields: inout FieldReader) throws(StateError) {
    var column = try ColumnReader(TreeField.origins, of: &fields)
    while !column.isAtEnd {
      let node = nodes[try column.index(of: nodes.count)]
      guard let layer = tree.layer(try column.number()) else { throw column.fault }
      node.origin = devices.identity(rank: layer.rank, device: try column.number(), inode: try column.number())
    }
  }

  private mutating func readRest(_ fields: inout FieldReader, isStateless: Bool) throws(StateError) {
    var links = try ColumnReader(TreeField.links, of: &fields)
    while !links.isAtEnd {
      let node = nodes[try links.index(of: nodes.count)]
      node.lowerLinks = try links.number()
      node.linkAdjustment = Int32(bitPattern: try links.number())
      guard node.linkAdjustment.magnitude <= 1 << 30 else { throw links.fault }
    }
    var kept = try ColumnReader(TreeField.keptChanges, of: &fields)
    while !kept.isAtEnd {
      let node = nodes[try kept.index(of: nodes.count)]
      node.keptChange = Node.KeptChange(host: try kept.time(), modified: try kept.time(), shown: try kept.time())
    }
    var opens = try ColumnReader(TreeField.opens, of: &fields)
    while !opens.isAtEnd {
      let node = nodes[try opens.index(of: nodes.count)]
      let count = try opens.number(UInt32.self)
      guard !isStateless, node.isRegular, count > 0, self.opens.last.map({ $0.0.slot < node.slot }) ?? true else {
        throw opens.fault
      }
      self.opens.append((node, Int(count)))
    }
  }
}

extension LayeredTree {
  /// A layer by the number that a state has for it.
  fileprivate func layer(_ rank: UInt16) -> Layer? { Int(rank) < layers.count ? layers[Int(rank)] : nil }
}
