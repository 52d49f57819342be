import Host
import LittleEndian
internal import State

/// The nodes in a machine's state: a table by columns. Where they are on the host is not among it but by their layers' ranks,
/// directories and names.
extension LayeredTree {
  /// What the layers are, and what must be as it was for offsets and times to be.
  ///
  /// - Parameter moments: at which the state was written, and earlier ones.
  func saveShape(to fields: inout FieldWriter, _ moments: Moments) {
    fields.put(TreeField.listingSeed, listingSeed)
    var time: [UInt8] = []
    time.append(started)
    fields.put(TreeField.started, time)
    var column: [UInt8] = []
    for moment in moments.all { column.append(moment) }
    fields.put(TreeField.moments, column)
    var layers: [UInt8] = []
    for layer in self.layers {
      layers += layer.stateKind
      layers.append(field: layer.device)
      layers.append(field: UInt32(clamping: layer.map.guestPath.bytes.count))
      layers += layer.map.guestPath.bytes
    }
    fields.put(TreeField.layers, layers)
  }

  /// - Throws: `removedFiles` when there are nodes that only a descriptor leads to, and that cannot be copied.
  func saveNodes(to fields: inout FieldWriter, _ moments: Moments) throws(StateError) {
    var rows = NodeRows(nodes.all)
    let removed = removedFiles()
    let mapped = self.mapped?.contents ?? []
    let lost = removed.others + mapped.count { rows.row(of: $0.node) == nil && !isNameless($0.node) }
    guard lost == 0 else { throw .removedFiles(UInt32(clamping: lost)) }
    for node in rows.nodes { rows.add(node, linked: nodes, moments) }
    rows.save(to: &fields)
    var free: [UInt8] = []
    let nameless = Set(removed.nodes.map(\.id))
    for (slot, generation) in nodes.freeSlots(keeping: { rows.row(of: $0) != nil || nameless.contains($0.id) }) {
      free.append(field: slot)
      free.append(field: generation)
    }
    fields.put(TreeField.free, free)
    fields.put(TreeField.window, UInt64(self.mapped?.window.count ?? 0))
    var ranges: [UInt8] = []
    for range in mapped {
      ranges.append(field: UInt32(range.index))
      ranges.append(field: rows.row(of: range.node) ?? 0)
      ranges.append(field: range.fileOffset)
      ranges.append(field: UInt32(range.count))
      ranges.append(range.isWritable ? 1 : 0)
    }
    fields.put(TreeField.ranges, ranges)
    fields.put(TreeField.removed, removed.column)
  }
}

/// When a state is written, and when those were before it from which there are nodes at which nobody has looked since: these are what
/// they were then.
struct Moments {
  private(set) var all: [FileTime] = []
  /// By the number that an earlier moment has in the tree.
  private var numbers: [Int]

  init(_ tree: LayeredTree) {
    numbers = [Int](repeating: 0, count: tree.moments.count)
    let used = Set(tree.nodes.all.compactMap(\.unseen))
    for (index, moment) in tree.moments.enumerated() where used.contains(index) {
      // Beyond what there is room for, an earlier one does: it only makes more things stale.
      if all.count < LayeredTree.mostMoments - 1 { all.append(moment) }
      numbers[index] = all.count - 1
    }
    all.append(FileTime.nowPrecisely())
  }

  func number(of node: Node) -> Int {
    guard let unseen = node.unseen, numbers.indices.contains(unseen) else { return all.count - 1 }
    return numbers[unseen]
  }
}

extension Layer {
  /// What it is, in two bytes.
  var stateKind: [UInt8] {
    let (number, options): (UInt8, UInt8) =
      switch kind {
      case .read: (0, 0)
      case .pack: (1, 0)
      case .write: (2, 0)
      case .share(let caching, let isReadOnly):
        (3, (isReadOnly ? 1 : 0) | (caching == .none ? 2 : caching == .auto ? 4 : 0))
      }
    return [number, options | (file == nil ? 0 : 8)]
  }
}

/// The columns, while they are made. What is only reached by what is gone is left out: to the guest it is stale already.
private struct NodeRows {
  private static let none = UInt32.max

  private(set) var nodes: [Node] = []
  /// By slot.
  private var rows: [UInt32]
  /// For directories, by slot, whether a way leads to them from the root; nil where nobody has looked.
  private var isReached: [Bool?]
  private var columns = [[UInt8]](repeating: [], count: 17)

  init(_ all: [Node]) {
    let count = (all.last?.slot ?? 0) + 1
    rows = [UInt32](repeating: Self.none, count: count)
    isReached = [Bool?](repeating: nil, count: count)
    for node in all {
      guard !node.isRemoved, node.isDirectory ? isReached(node) : !places(of: node).isEmpty else { continue }
      rows[node.slot] = UInt32(nodes.count)
      nodes.append(node)
    }
  }

  func row(of node: Node) -> UInt32? {
    guard node.isInTable, rows.indices.contains(node.slot), rows[node.slot] != Self.none else { return nil }
    return rows[node.slot]
  }

  private mutating func isReached(_ directory: Node) -> Bool {
    var way: [Int] = []
    var next: Node? = directory
    var answer = false
    while let node = next, node.isInTable, !node.isRemoved {
      if let known = isReached[node.slot] {
        answer = known
        break
      }
      way.append(node.slot)
      if node.id == 1 {
        answer = true
        break
      }
      next = node.parent
    }
    for slot in way { isReached[slot] = answer }
    return answer
  }

  /// Its names in directories that are reached.
  private mutating func places(of node: Node) -> [Node.Alias] {
    guard let parent = node.parent else { return [] }
    return ([Node.Alias(parent: parent, name: node.name)] + node.aliases).filter { isReached($0.parent) }
  }

  /// To be called for each of `nodes`, in their order.
  mutating func add(_ node: Node, linked: NodeTable, _ moments: Moments) {
    let row = rows[node.slot]
    let places = self.places(of: node)
    let kind = NodeKind(
      type: node.type, (NodeKind.isMappable, node.isMappable), (NodeKind.mayBeSealed, node.mayBeSealed),
      (NodeKind.isPinned, node.isPinned && node.isDirectory),
      (NodeKind.isLinked, !node.isDirectory && linked.linkedNode(node.identity) === node),
      (NodeKind.isLinkedByOrigin, node.origin.map { linked.linkedNode($0) === node } ?? false),
      (NodeKind.isBare, node.isDirectory && node.parts.isEmpty))
    put(node.id, TreeField.ids)
    put(node.lookups, TreeField.lookups)
    put(kind.rawValue, TreeField.kinds)
    put(node.inode, TreeField.inodes)
    put(places.first.map { rows[$0.parent.slot] } ?? 0, TreeField.parents)
    columns[Int(TreeField.names - TreeField.ids)] += places.first?.name ?? [0]
    put(node.identity.device, TreeField.devices)
    put(node.identity.inode, TreeField.hostInodes)
    put(UInt16(clamping: node.topLayer?.rank ?? node.identity.rank), TreeField.ranks)
    put(UInt16(clamping: node.writeLayer?.rank ?? .max), TreeField.writeRanks)
    put(UInt8(clamping: moments.number(of: node)), TreeField.seen)
    for part in node.parts.dropFirst() where !node.isPinned {
      put(row, TreeField.lowerParts)
      put(UInt16(clamping: part.layer.rank), TreeField.lowerParts)
    }
    for alias in places.dropFirst() {
      put(row, TreeField.aliases)
      put(rows[alias.parent.slot], TreeField.aliases)
      columns[Int(TreeField.aliases - TreeField.ids)] += alias.name
    }
    if let origin = node.origin {
      put(row, TreeField.origins)
      put(UInt16(clamping: origin.rank), TreeField.origins)
      put(origin.device, TreeField.origins)
      put(origin.inode, TreeField.origins)
    }
    if node.lowerLinks != 0 || node.linkAdjustment != 0 {
      put(row, TreeField.links)
      put(node.lowerLinks, TreeField.links)
      put(UInt32(bitPattern: node.linkAdjustment), TreeField.links)
    }
    if let kept = node.keptChange {
      put(row, TreeField.keptChanges)
      for time in [kept.host, kept.modified, kept.shown] {
        columns[Int(TreeField.keptChanges - TreeField.ids)].append(time)
      }
    }
    if node.opens > 0 {
      put(row, TreeField.opens)
      put(UInt32(clamping: node.opens), TreeField.opens)
    }
  }

  private mutating func put<T: FixedWidthInteger & UnsignedInteger>(_ value: T, _ id: UInt16) {
    columns[Int(id - TreeField.ids)].append(field: value)
  }

  func save(to fields: inout FieldWriter) {
    for (index, column) in columns.enumerated() { fields.put(TreeField.ids + UInt16(index), column) }
  }
}
