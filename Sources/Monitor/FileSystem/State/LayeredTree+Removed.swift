import Host
import LittleEndian
internal import State

/// Files that the guest has removed and still uses, in a machine's state: no name leads to them, so all of them is in there, and whoever
/// goes on has copies, without a name too.
extension LayeredTree {
  /// Bytes of all of them.
  private static let removedLimit = 64 << 20

  /// Whether the guest knows it and nothing but a descriptor leads to it.
  func isNameless(_ node: Node) -> Bool {
    node.isInTable && node.isRemoved && node.anonymous != nil && node.lookups > 0
  }

  /// - Returns: those that can be written, how many at least cannot be (other than files, files that are in no write map or share or
  ///   lie in the window, what is too large, and what is too many), and the column.
  func removedFiles() -> (nodes: [Node], others: Int, column: [UInt8]) {
    var column: [UInt8] = []
    var saved: [Node] = []
    var others = 0
    for node in nodes.all where isNameless(node) {
      guard node.isRegular, node.mappedCount == 0, let layer = node.writeLayer else {
        others += 1
        continue
      }
      // Nothing is written once one cannot be.
      if others > 0 { continue }
      // Each copy will hold one of the descriptors for removed files.
      guard saved.count < nodes.pinLimit,
        let contents = try? contents(ofRemoved: node, room: Self.removedLimit - column.count),
        let status = try? namespace.withReadLock({ () throws(Errno) in try self.status(of: node) })
      else {
        others += 1
        continue
      }
      column.append(field: node.id)
      column.append(field: node.lookups)
      column.append(field: node.inode)
      column.append(field: UInt32(clamping: node.opens))
      column.append(field: UInt16(clamping: layer.rank))
      column.append(field: UInt16(truncatingIfNeeded: status.mode & 0o7777))
      column.append(field: status.uid)
      column.append(field: status.gid)
      column.append(status.accessed)
      column.append(status.modified)
      column.append(text: contents)
      let attributes = attributes(ofRemoved: node)
      column.append(field: UInt32(attributes.count))
      for (name, value) in attributes {
        column.append(text: name)
        column.append(text: value)
      }
      saved.append(node)
    }
    return (saved, others, column)
  }

  private func contents(ofRemoved node: Node, room: Int) throws(Errno) -> [UInt8] {
    let file = try file(of: node, forWriting: false)
    let length = try FileCalls.status(file.raw).length
    guard length <= UInt64(max(room, 0)) else { throw .noSpace }
    var contents: [UInt8] = []
    while contents.count < Int(length) {
      var piece = [UInt8](repeating: 0, count: min(Int(length) - contents.count, 1 << 20))
      let count = try FileCalls.read(file.raw, at: UInt64(contents.count), into: &piece)
      guard count > 0 else { throw .inputOutput }
      contents += piece[..<count]
    }
    return contents
  }

  /// But for capabilities, which only something that is executed needs.
  private func attributes(ofRemoved node: Node) -> [(name: [UInt8], value: [UInt8])] {
    guard let names = try? attributeNames(node) else { return [] }
    return names.split(separator: 0).compactMap { name in
      let name = [UInt8](name)
      guard name != AttributeName.capability, let value = try? attribute(node, name) else { return nil }
      return (name, value)
    }
  }

  /// Makes the copies. They count for what their write maps may hold.
  ///
  /// - Returns: them, and how often each is open.
  func restoreRemoved(
    from fields: inout FieldReader, isStateless: Bool
  ) throws(StateError) -> [(node: Node, opens: Int)] {
    var restored: [(node: Node, opens: Int)] = []
    var column = try ColumnReader(TreeField.removed, of: &fields)
    var size = 0
    while !column.isAtEnd {
      let (id, lookups, inode): (UInt64, UInt64, UInt64) = (
        try column.number(), try column.number(), try column.number()
      )
      let opens: UInt32 = try column.number()
      guard !isStateless || opens == 0 else { throw column.fault }
      let rank = Int(try column.number(UInt16.self))
      guard rank < layers.count, layers[rank].isWritable, layers[rank].file == nil else { throw column.fault }
      let layer = layers[rank]
      let (mode, uid, gid): (UInt16, UInt32, UInt32) = (try column.number(), try column.number(), try column.number())
      let (accessed, modified) = (try column.time(), try column.time())
      let contents = [UInt8](try column.text())
      size += contents.count
      guard size <= Self.removedLimit else { throw column.fault }
      var attributes: [(name: [UInt8], value: [UInt8])] = []
      for _ in 0..<(try column.number(UInt32.self)) {
        attributes.append(([UInt8](try column.text()), [UInt8](try column.text())))
      }
      do throws(Errno) {
        let pieces = Self.pieces(contents)
        let reservation = try layer.allowance?.reserve(
          files: 0, bytes: UInt64(pieces.reduce(0) { $0 + ($1.count + 4095) / 4096 * 4096 }))
        // What it takes is counted in `add`.
        defer { if let reservation { layer.allowance?.settle(reservation) } }
        let place = Place(base: try makeNameless(in: layer), name: FileCalls.itself)
        for piece in pieces {
          var written = piece.lowerBound
          while written < piece.upperBound {
            let rest = Array(contents[written..<piece.upperBound])
            written += try FileCalls.write(place.base.raw, at: UInt64(written), rest, count: rest.count)
          }
        }
        try FileCalls.truncate(place.base.raw, to: UInt64(contents.count))
        // An owner whom nobody stands for here leaves it this process's own.
        let host = try FileCalls.status(place.base.raw)
        let wanted = OverrideStat(uid: uid, gid: gid, mode: FileType.regular | UInt32(mode) & 0o7777)
        try? setOwner(place, host: host, wanted: wanted, in: layer, isNew: true)
        for (name, value) in attributes {
          guard name != AttributeName.capability, let kept = nameToSet(name, in: layer) else { continue }
          try? FileCalls.setAttribute(place.base.raw, place.name.span, kept, value)
        }
        try FileCalls.changeTimes(place.base.raw, accessed: .set(accessed), modified: .set(modified))
        let status = try FileCalls.status(place.base.raw)
        let node = Node(
          id: id, type: FileType.regular, inode: inode, parent: nil, name: FileCalls.itself,
          identity: FileIdentity(layer, status), writeLayer: layer, caching: layer.caching)
        node.layer = layer
        node.lookups = lookups
        node.isRemoved = true
        node.anonymous = place.base
        node.maySeal()
        guard nodes.takePin(node) else { throw .tooManyFiles }
        layer.allowance?.add(node, names: 0, status)
        restored.append((node, Int(opens)))
      } catch {
        throw column.fault
      }
    }
    return restored
  }

  /// Where there is more than zeros, in whole pages: what was a hole takes no room.
  private static func pieces(_ contents: [UInt8]) -> [Range<Int>] {
    var pieces: [Range<Int>] = []
    for start in stride(from: 0, to: contents.count, by: 4096) {
      let end = min(start + 4096, contents.count)
      guard contents[start..<end].contains(where: { $0 != 0 }) else { continue }
      if let last = pieces.last, last.upperBound == start, end - last.lowerBound <= 1 << 20 {
        pieces[pieces.count - 1] = last.lowerBound..<end
      } else {
        pieces.append(start..<end)
      }
    }
    return pieces
  }

  /// A file that never had a name, or has it no more.
  private func makeNameless(in layer: Layer) throws(Errno) -> SharedDescriptor {
    let dot: [UInt8] = [UInt8(ascii: "."), 0]
    if let file = try? FileCalls.openBeneath(layer.root.raw, dot.span, OpenFlags.temporary, mode: 0o600) {
      return SharedDescriptor(file)
    }
    guard let work = layer.work else { throw .notSupported }
    let (directory, name) = (try work.open(), work.temporaryName())
    let file = try FileCalls.openBeneath(directory.raw, name.span, OpenFlags.createExclusively, mode: 0o600)
    try FileCalls.remove(directory.raw, name.span, isDirectory: false)
    return SharedDescriptor(file)
  }
}

extension [UInt8] {
  fileprivate mutating func append(text: [UInt8]) {
    append(field: UInt32(clamping: text.count))
    self += text
  }
}
