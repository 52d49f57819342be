import FUSE
import Host

/// Copying up: what the guest changes moves into the write map first, whole and at once.
extension LayeredTree {
  /// Makes sure that a file can be changed where it is. No lock is held.
  ///
  /// The copy is made in the map's work directory without holding anything that others wait for, then moved to its place.
  ///
  /// - Parameter withData: false when the file is about to be truncated to nothing.
  func copyUp(_ node: Node, withData: Bool = true) throws(Errno) {
    if namespace.withReadLock({ node.isUpper }) { return }
    guard let layer = node.writeLayer else { throw .readOnly }
    if node.isDirectory {
      try namespace.withWriteLock { () throws(Errno) in
        if node.isRemoved { try copyUpRemovedDirectory(node, layer) } else { try copyUpDirectory(node) }
      }
      return
    }
    try copying[Int(truncatingIfNeeded: node.id) & (copying.count - 1)].withLock { () throws(Errno) in
      guard !namespace.withReadLock({ node.isUpper }) else { return }
      let (source, status) = try namespace.withReadLock { () throws(Errno) in
        (try place(of: node), try self.status(of: node))
      }
      let size = withData && status.isRegular ? min(status.length, status.blocks << 9) : 1
      let reservation = try layer.allowance?.reserve(bytes: size)
      // What it takes is counted in `settle`.
      defer { if let reservation { layer.allowance!.settle(reservation) } }
      let (work, name) = try workPlace(in: layer)
      do throws(Errno) {
        try copy(source, status, node, to: Place(base: work, name: name), in: layer, withData: withData)
        try namespace.withWriteLock { () throws(Errno) in try settle(node, layer, Place(base: work, name: name)) }
      } catch {
        try? FileCalls.remove(work.raw, name.span, isDirectory: false)
        throw error
      }
    }
  }

  /// Moves a copy to its place and lets the node stand for it. The namespace lock is held for writing.
  private func settle(_ node: Node, _ layer: Layer, _ copy: Place) throws(Errno) {
    let status = try FileCalls.status(copy.base.raw, copy.name.span)
    var linkedCount = 0
    if node.isRemoved {
      // Nobody will find it by name: it lives on as an open file only.
      node.anonymous = SharedDescriptor(
        try FileCalls.openBeneath(copy.base.raw, copy.name.span, OpenFlags.path))
      try FileCalls.remove(copy.base.raw, copy.name.span, isDirectory: false)
    } else {
      guard let parent = node.parent else { throw .stale }
      try copyUpDirectory(parent)
      let base = try descriptor(of: parent, in: layer)
      let before = try FileCalls.status(base.raw)
      // Other names of the file that the guest knows get the copy too; those it never saw keep what is below.
      var linked: [Place] = []
      for alias in node.aliases {
        if (try? copyUpDirectory(alias.parent)) != nil,
          let base = try? descriptor(of: alias.parent, in: layer),
          (try? link(node, copy, to: Place(base: base, name: alias.name))) != nil
        {
          linked.append(Place(base: base, name: alias.name))
        }
      }
      let name = node.name
      do throws(Errno) {
        let rename = { () throws(Errno) in
          try FileCalls.rename(copy.base.raw, copy.name.span, to: base.raw, name.span)
        }
        if node.isSymlink {
          try renameLink(copy, to: Place(base: base, name: name), rename: rename)
        } else {
          try rename()
        }
      } catch {
        for place in linked { try? FileCalls.remove(place.base.raw, place.name.span, isDirectory: false) }
        throw error
      }
      keepTimes(of: parent, base, before)
      linkedCount = linked.count
      node.linkAdjustment = Int32(clamping: max(node.lowerLinks, 1)) - 1 - Int32(linked.count)
    }
    layer.allowance?.add(node, names: node.isRemoved ? 0 : UInt64(linkedCount) + 1, status)
    node.origin = node.identity
    node.identity = FileIdentity(layer, status)
    node.layer = layer
    files.drop(node)
    try? mapped?.move(node) { () throws(Errno) in try openFile(try place(of: node), OpenFlags.readWrite, nil) }
    if node.lowerLinks > 1 {
      nodes.link(node.origin!, to: node)
      nodes.link(node.identity, to: node)
    }
  }

  /// A directory's times do not show that something in it was copied up: on the host it has the others that it had `before`, and
  /// to the guest its time of change as well.
  private func keepTimes(of node: Node, _ directory: SharedDescriptor, _ before: FileStatus) {
    try? FileCalls.changeTimes(
      directory.raw, accessed: .set(before.accessed), modified: .set(before.modified))
    guard node.topPart?.layer === node.writeLayer, let now = try? FileCalls.status(directory.raw) else { return }
    node.keptChange = Node.KeptChange(now, shown: node.shownChange(before))
  }

  /// Makes a directory, and those above it, exist in their write map. The namespace lock is held for writing.
  func copyUpDirectory(_ node: Node) throws(Errno) {
    guard let layer = node.writeLayer else { throw .readOnly }
    // A list of its own: a tree may be deeper than a stack.
    var missing: [(node: Node, parent: Node)] = []
    var lowest = node
    while lowest.part(in: layer) == nil {
      guard !lowest.isRemoved, let parent = lowest.parent else { throw .notFound }
      missing.append((lowest, parent))
      lowest = parent
    }
    while let (directory, parent) = missing.popLast() { try copyUpDirectory(directory, in: parent, layer) }
  }

  /// The same, where what is above it is there.
  private func copyUpDirectory(_ node: Node, in parent: Node, _ layer: Layer) throws(Errno) {
    let reservation = try layer.allowance?.reserve(bytes: 1)
    var blocks: UInt64?
    defer {
      if let reservation {
        layer.allowance!.settle(
          reservation, names: blocks == nil ? 0 : 1, blocks == nil ? nil : node, blocks: blocks ?? 0)
      }
    }
    let name = node.name
    let base = try descriptor(of: parent, in: layer)
    let before = try FileCalls.status(base.raw)
    let status = try self.status(of: node)
    try withCopy(ofDirectory: node, status, layer) { (copy) throws(Errno) in
      do throws(Errno) {
        try FileCalls.rename(copy.base.raw, copy.name.span, to: base.raw, name.span, .noReplace)
      } catch {
        // Only a directory that is there whatever the layers say can have a whiteout in its place.
        guard error == .exists, node.isPinned,
          let there = try? FileCalls.status(base.raw, name.span), there.isWhiteout
        else { throw error }
        try setOpaque(copy)
        try FileCalls.rename(copy.base.raw, copy.name.span, to: base.raw, name.span, .exchange)
        try? FileCalls.remove(copy.base.raw, copy.name.span, isDirectory: false)
      }
    }
    keepTimes(of: parent, base, before)
    let made = try FileCalls.status(base.raw, name.span)
    blocks = made.blocks
    let index = node.parts.firstIndex { $0.layer.rank > layer.rank } ?? node.parts.count
    node.parts = node.parts[..<index] + [DirectoryPart(layer: layer)] + node.parts[index...]
    if index == 0 {
      node.identity = FileIdentity(layer, made)
      node.keptChange = Node.KeptChange(made, shown: status.changed)
    }
  }

  /// Gives a directory that is removed, but open, one that can be changed. The namespace lock is held for writing.
  private func copyUpRemovedDirectory(_ node: Node, _ layer: Layer) throws(Errno) {
    if node.part(in: layer) != nil { return }
    try withCopy(ofDirectory: node, try status(of: node), layer) { (copy) throws(Errno) in
      let status = try FileCalls.status(copy.base.raw, copy.name.span)
      let open = try FileCalls.openBeneath(copy.base.raw, copy.name.span, OpenFlags.directoryPath)
      try FileCalls.remove(copy.base.raw, copy.name.span, isDirectory: true)
      node.anonymous = SharedDescriptor(open)
      node.parts = [DirectoryPart(layer: layer)]
      node.identity = FileIdentity(layer, status)
    }
  }

  /// Makes a directory like another in the work directory, for `use` to take from there.
  private func withCopy(
    ofDirectory node: Node, _ status: FileStatus, _ layer: Layer, _ use: (Place) throws(Errno) -> Void
  ) throws(Errno) {
    let (work, name) = try workPlace(in: layer)
    let copy = Place(base: work, name: name)
    try FileCalls.makeDirectory(work.raw, copy.name.span, mode: 0o700)
    do throws(Errno) {
      let host = try FileCalls.status(work.raw, copy.name.span)
      if !node.isSynthetic { copyAttributes(try place(of: node), from: node.topLayer, to: copy, in: layer) }
      try setOwner(copy, host: host, wanted: OverrideStat(status), in: layer, isNew: true)
      try FileCalls.changeTimes(
        work.raw, copy.name.span, accessed: .set(status.accessed), modified: .set(status.modified))
      try use(copy)
    } catch {
      try? FileCalls.remove(work.raw, copy.name.span, isDirectory: true)
      throw error
    }
  }

  func setOpaque(_ place: Place) throws(Errno) {
    do throws(Errno) {
      try FileCalls.setAttribute(place.base.raw, place.name.span, MarkName.opaque(ownership), MarkName.yes)
    } catch {
      // An overlayfs older than Linux 6.7 keeps that name for itself, too. Both are read.
      guard error == .notSupported || error == .notPermitted, ownership == .real else { throw error }
      try FileCalls.setAttribute(place.base.raw, place.name.span, MarkName.opaqueUser, MarkName.yes)
    }
  }

  /// Where something is made before it appears at its place.
  ///
  /// - Throws: EROFS for a share, which has no such place.
  func workPlace(in layer: Layer) throws(Errno) -> (directory: SharedDescriptor, name: [UInt8]) {
    guard let work = layer.work else { throw .readOnly }
    return (try work.open(), work.temporaryName())
  }

  // MARK: The copy

  private func copy(
    _ source: Place, _ status: FileStatus, _ node: Node, to target: Place, in layer: Layer, withData: Bool
  ) throws(Errno) {
    let wanted = OverrideStat(status)
    var target = target
    switch status.mode & FileType.mask {
    case FileType.regular:
      let file = SharedDescriptor(
        try FileCalls.openBeneath(target.base.raw, target.name.span, OpenFlags.createExclusively, mode: 0o600))
      if withData, status.length > 0 {
        let from = try openFile(source, OpenFlags.read, node.identity)
        _ = try FileCalls.copyData(from.raw, to: file.raw, length: status.length)
      }
      target = Place(base: file, name: FileCalls.itself)
    case FileType.symlink:
      let link = try FileCalls.readLink(source.base.raw, source.name.span)
      try FileCalls.makeSymlink(target.base.raw, target.name.span, target: link + [0])
    default:
      try makeSpecial(target, wanted, in: layer)
    }
    let from = namespace.withReadLock { node.topLayer }
    copyAttributes(source, from: from, to: target, in: layer)
    let host = try FileCalls.status(target.base.raw, target.name.span)
    try setOwner(target, host: host, wanted: wanted, in: layer, isNew: true)
    // Capabilities go when the owner changes, so they come after it.
    copyCapabilities(source, from: from, to: target, in: layer)
    if ownership == .real || !status.isSymlink {
      try? FileCalls.setAttribute(
        target.base.raw, target.name.span, MarkName.inode(ownership), LayeredTree.hex(node.inode))
    }
    try FileCalls.changeTimes(
      target.base.raw, target.name.span, accessed: .set(status.accessed), modified: .set(status.modified))
    node.lowerLinks = status.links
  }

  /// Opens what must be the regular file that a node stands for; anything else is looked at, and not opened.
  func openFile(_ place: Place, _ flags: Int32, _ identity: FileIdentity?) throws(Errno) -> FileDescriptor {
    guard place.name.count > 1 else { return try FileCalls.openRegular(place.base.raw, place.name.span, flags) }
    do throws(Errno) {
      return try FileCalls.openRegular(place.base.raw, place.name.span, flags) { status in
        identity.map { status.device == $0.device && status.inode == $0.inode } ?? true
      }
    } catch {
      throw error == .notFound ? .stale : error
    }
  }

  /// Copies extended attributes that the guest sees, other than capabilities. What the host refuses is left out.
  func copyAttributes(_ source: Place, from layer: Layer?, to target: Place, in upper: Layer) {
    guard let list = try? FileCalls.attributeNames(source.base.raw, source.name.span), !list.isEmpty else { return }
    // One may be there under two names.
    var seen: Set<[UInt8]> = []
    for name in list.split(separator: 0) {
      guard let shown = shownName([UInt8](name), in: layer, source), shown != AttributeName.capability,
        seen.insert(shown).inserted, let kept = nameToSet(shown, in: upper),
        let value = try? attribute(at: source, shown, in: layer)
      else { continue }
      try? FileCalls.setAttribute(target.base.raw, target.name.span, kept, value)
    }
  }

  private func copyCapabilities(_ source: Place, from: Layer?, to target: Place, in layer: Layer) {
    guard let value = try? attribute(at: source, AttributeName.capability, in: from) else { return }
    guard let kept = nameToSet(AttributeName.capability, in: layer) else { return }
    try? FileCalls.setAttribute(target.base.raw, target.name.span, kept, value)
    if kept == MarkName.privilegedCapability { try? FileCalls.setSeal(target.base.raw, target.name.span) }
  }

  /// Makes a FIFO, socket or device, or what stands for it.
  func makeSpecial(_ place: Place, _ wanted: OverrideStat, in layer: Layer) throws(Errno) {
    let type = wanted.mode & FileType.mask
    let isDevice = type == FileType.characterDevice || type == FileType.blockDevice
    // A whiteout of the guest's own would be ours.
    let isForTheGuest = wanted.isWhiteout ? layer.hasMarks : isDevice && !layer.privileges.contains(.dev)
    let isStandIn = ownership == .recorded || isForTheGuest
    try FileCalls.makeNode(
      place.base.raw, place.name.span, mode: isStandIn ? FileType.regular | 0o600 : wanted.mode,
      major: isStandIn ? 0 : wanted.major, minor: isStandIn ? 0 : wanted.minor)
  }

  // MARK: Other names

  /// Gives a file that was copied up under one name its place under another that it has below, and counts a lookup.
  /// Nil when the name is gone meanwhile, to look again.
  func linkUp(_ node: Node, _ parent: Node, _ name: Span<UInt8>) throws(Errno) -> Entry? {
    try namespace.withWriteLock { () throws(Errno) -> Entry? in
      var below = FileStatus()
      guard nodes.peek(parent, name) == nil, let layer = node.layer, !node.isRemoved,
        let origin = node.origin, nodes.linkedNode(origin) === node,
        let found = try resolve(parent, name, &below).found(), FileIdentity(found.layer, below) == origin
      else { return nil }
      let array = [UInt8](copying: name)
      do throws(Errno) {
        guard parent.writeLayer === layer else { throw .crossDevice }
        try copyUpDirectory(parent)
        let base = try descriptor(of: parent, in: layer)
        let from = try place(of: node)
        try link(node, from, to: Place(base: base, name: array))
        layer.allowance?.addName()
        node.linkAdjustment -= 1
      } catch {
        // It cannot be: then the name shows what is below, as overlayfs would have it.
        nodes.unlink(origin)
        return nil
      }
      nodes.addName(node, parent, array)
      nodes.countLookup(node)
      return Entry(node: node, status: try status(of: node))
    }
  }
}
