import FUSE
import Host

/// Removing and renaming.
extension LayeredTree {
  /// UNLINK and RMDIR.
  func remove(_ parent: Node, _ name: FileName, isDirectory: Bool) throws(Errno) {
    if isReserved(parent, name.terminated) { throw .notFound }
    guard let entry = try lookUp(parent, name) else { throw .notFound }
    let node = entry.node
    defer { nodes.forget(node.id, 1) }
    if isDirectory && !node.isDirectory { throw .notDirectory }
    if !isDirectory && node.isDirectory { throw .isDirectory }
    try namespace.withWriteLock { () throws(Errno) in
      guard nodes.peek(parent, name.terminated) === node else { throw .notFound }
      if node.isPinned { throw .busy }
      // Before anything is said of what is in it, as on any file system.
      if entry.status.isLocked, node.isUpper { throw .notPermitted }
      if isDirectory, try !isEmpty(node) { throw .notEmpty }
      guard let layer = parent.writeLayer else { throw .readOnly }
      try copyUpDirectory(parent)
      let base = try descriptor(of: parent, in: layer)
      keepReachable(node)
      defer { keepNamed(node) }
      let leaving = status(ofLeaving: node, base, name.terminatedArray())
      try take(node, parent, name.terminatedArray(), base, layer)
      if let leaving { layer.allowance?.take(node, leaving) }
      if node.isSymlink { forgetLink(Place(base: base, name: name.terminatedArray())) }
      forgetName(node, parent, name)
    }
  }

  /// Takes a name out of the write map, and marks it as removed if it would show through from below.
  private func take(
    _ node: Node, _ parent: Node, _ name: [UInt8], _ base: SharedDescriptor, _ layer: Layer
  ) throws(Errno) {
    let isUpper = isIn(layer, node)
    guard try showsBelow(parent, name.span) else {
      if isUpper { try discard(node, name, base, layer) }
      return
    }
    // In a share it would be a device of the host's.
    guard layer.hasMarks else { throw .readOnly }
    if !isUpper { return try FileCalls.makeWhiteout(base.raw, name.span) }
    let (work, whiteout) = try workPlace(in: layer)
    try FileCalls.makeWhiteout(work.raw, whiteout.span)
    do throws(Errno) {
      try FileCalls.rename(
        work.raw, whiteout.span, to: base.raw, name.span, node.isDirectory ? .exchange : [])
    } catch {
      try? FileCalls.remove(work.raw, whiteout.span, isDirectory: false)
      throw error
    }
    if node.isDirectory { layer.work?.discardDirectory(whiteout) }
  }

  /// Removes an object of the write map; a directory may still hold whiteouts.
  private func discard(_ node: Node, _ name: [UInt8], _ base: SharedDescriptor, _ layer: Layer) throws(Errno) {
    do throws(Errno) {
      try FileCalls.remove(base.raw, name.span, isDirectory: node.isDirectory)
    } catch {
      guard error == .notEmpty || error == .exists, node.isDirectory, layer.hasMarks else { throw error }
      let (work, doomed) = try workPlace(in: layer)
      try FileCalls.rename(base.raw, name.span, to: work.raw, doomed.span)
      layer.work?.discardDirectory(doomed)
    }
  }

  private func isIn(_ layer: Layer, _ node: Node) -> Bool {
    node.isDirectory ? node.part(in: layer) != nil : node.layer === layer
  }

  /// Takes a name from a node; without any left it is removed.
  func forgetName(_ node: Node, _ parent: Node, _ name: FileName) {
    let isLower = !node.isUpper
    nodes.removeName(node, parent, name.terminated)
    if node.parent == nil {
      node.isRemoved = true
      if node.isDirectory {
        for part in node.parts { cache.drop(part) }
      }
      if node.anonymous == nil { nodes.discard(node) }
    } else {
      // It has another name, so it can be reached by that.
      node.anonymous = nil
      nodes.dropPin(node)
      if isLower { node.linkAdjustment -= 1 }
    }
  }

  /// Whether a directory shows nothing. The namespace lock is held.
  func isEmpty(_ node: Node) throws(Errno) -> Bool {
    if node.hasPinnedChildren { return false }
    return try MergedDirectory.entries(of: node, in: self, stopAtFirst: true).isEmpty
  }

  // MARK: Renaming

  /// RENAME2 with the flags of renameat2(2).
  ///
  /// A directory that has anything in a lower layer is not moved but answers EXDEV, as overlayfs without
  /// `redirect_dir`: mv(1) and others then copy.
  func rename(
    _ oldParent: Node, _ oldName: FileName, to newParent: Node, _ newName: FileName, _ flags: RenameFlags,
    by caller: Caller
  ) throws(Errno) {
    guard flags.isSubset(of: [.noReplace, .exchange, .whiteout]),
      !(flags.contains(.exchange) && !flags.isDisjoint(with: [.noReplace, .whiteout]))
    else { throw .invalid }
    if isReserved(oldParent, oldName.terminated) { throw .notFound }
    if isReserved(newParent, newName.terminated) { throw .notPermitted }
    guard newParent.isDirectory else { throw .notDirectory }
    guard let layer = oldParent.writeLayer, newParent.writeLayer != nil else { throw .readOnly }
    guard newParent.writeLayer === layer else { throw .crossDevice }

    guard let source = try lookUp(oldParent, oldName)?.node else { throw .notFound }
    defer { nodes.forget(source.id, 1) }
    let targetEntry = try lookUp(newParent, newName)
    let target = targetEntry?.node
    defer { if let target { nodes.forget(target.id, 1) } }
    if source.isPinned || target?.isPinned == true { throw .busy }
    if flags.contains(.exchange), target == nil { throw .notFound }
    if flags.contains(.noReplace), target != nil { throw .exists }
    if source === target { return }
    if !source.isDirectory { try copyUp(source) }
    if flags.contains(.exchange), let target, !target.isDirectory { try copyUp(target) }

    try namespace.withWriteLock { () throws(Errno) in
      guard nodes.peek(oldParent, oldName.terminated) === source,
        nodes.peek(newParent, newName.terminated) === target
      else { throw .notFound }
      if oldParent.isRemoved || newParent.isRemoved { throw .notFound }
      if source.isDirectory {
        guard try isMovable(source, oldParent, oldName, layer) else { throw .crossDevice }
        if isAncestor(source, of: newParent) { throw .invalid }
      }
      if let target {
        if flags.contains(.exchange) {
          if target.isDirectory {
            guard try isMovable(target, newParent, newName, layer) else { throw .crossDevice }
            if isAncestor(target, of: oldParent) { throw .invalid }
          }
        } else {
          if source.isDirectory && !target.isDirectory { throw .notDirectory }
          if !source.isDirectory && target.isDirectory { throw .isDirectory }
          if targetEntry?.status.isLocked == true, target.isUpper { throw .notPermitted }
          if target.isDirectory, try !isEmpty(target) { throw .notEmpty }
        }
      } else if isAncestor(source, of: newParent) {
        throw .invalid
      }
      try copyUpDirectory(oldParent)
      try copyUpDirectory(newParent)
      let move = Move(
        source: source, oldParent: oldParent, oldName: oldName.terminatedArray(),
        oldBase: try descriptor(of: oldParent, in: layer), target: target, newParent: newParent,
        newName: newName.terminatedArray(), newBase: try descriptor(of: newParent, in: layer), layer: layer)
      let rename = { () throws(Errno) in
        if flags.contains(.exchange) {
          try self.exchange(move, oldName, newName)
        } else {
          try self.replace(move, oldName, newName, whiteoutBy: flags.contains(.whiteout) ? caller : nil)
        }
      }
      if source.isSymlink || target?.isSymlink == true {
        try renameLink(
          Place(base: move.oldBase, name: move.oldName), to: Place(base: move.newBase, name: move.newName), flags,
          rename: rename)
      } else {
        try rename()
      }
    }
  }

  /// All that the steps of one rename need.
  private struct Move {
    let source: Node
    let oldParent: Node
    let oldName: [UInt8]
    let oldBase: SharedDescriptor
    let target: Node?
    let newParent: Node
    let newName: [UInt8]
    let newBase: SharedDescriptor
    let layer: Layer
  }

  /// Whether a directory is in its write map alone.
  private func isMovable(
    _ node: Node, _ parent: Node, _ name: FileName, _ layer: Layer
  ) throws(Errno) -> Bool {
    node.parts.count == 1 && node.parts[0].layer === layer && !node.hasPinnedChildren
  }

  private func isAncestor(_ node: Node, of other: Node) -> Bool {
    var next: Node? = other
    while let current = next {
      if current === node { return true }
      next = current.parent
    }
    return false
  }

  private func exchange(_ move: Move, _ oldName: FileName, _ newName: FileName) throws(Errno) {
    try hideBelow(move.source, Place(base: move.oldBase, name: move.oldName), move.newParent, newName)
    try hideBelow(move.target!, Place(base: move.newBase, name: move.newName), move.oldParent, oldName)
    try FileCalls.rename(
      move.oldBase.raw, move.oldName.span, to: move.newBase.raw, move.newName.span, .exchange)
    let (source, target) = (move.source, move.target!)
    nodes.removeName(source, move.oldParent, move.oldName.span)
    nodes.removeName(target, move.newParent, move.newName.span)
    nodes.addName(source, move.newParent, move.newName)
    nodes.addName(target, move.oldParent, move.oldName)
  }

  /// A directory that moves to where there is one below must not merge with it.
  private func hideBelow(_ node: Node, _ place: Place, _ parent: Node, _ name: FileName) throws(Errno) {
    guard node.isDirectory, try showsBelow(parent, name.terminated) else { return }
    guard parent.writeLayer?.hasMarks == true else { throw .readOnly }
    try setOpaque(place)
  }

  private func replace(
    _ move: Move, _ oldName: FileName, _ newName: FileName, whiteoutBy caller: Caller?
  ) throws(Errno) {
    let (oldBase, newBase, layer) = (move.oldBase, move.newBase, move.layer)
    let needsWhiteout = try showsBelow(move.oldParent, oldName.terminated)
    // In a share it would be a device of the host's.
    guard !needsWhiteout || layer.hasMarks else { throw .readOnly }
    let leaving = move.target.flatMap { status(ofLeaving: $0, newBase, move.newName) }
    // What the guest leaves behind is one name more.
    let reservation = caller == nil ? nil : try layer.allowance?.reserve(bytes: 1)
    var names: UInt64 = 0
    defer { if let reservation { layer.allowance!.settle(reservation, names: names) } }
    try hideBelow(move.source, Place(base: oldBase, name: move.oldName), move.newParent, newName)
    defer { if let target = move.target { keepNamed(target) } }
    if let target = move.target {
      keepReachable(target)
      if target.isDirectory, layer.hasMarks, target.part(in: layer) != nil {
        // Empty to the guest, it may still hold whiteouts: opaque, it stays empty while they go.
        let place = Place(base: newBase, name: move.newName)
        if target.parts.count > 1 { try setOpaque(place) }
        let doomed = try FileCalls.openBeneath(newBase.raw, move.newName.span, OpenFlags.directory)
        try DirectoryRemoval.removeContents(of: doomed.raw, isForced: false)
      }
    }
    let there = try? FileCalls.status(newBase.raw, move.newName.span)
    if let there, layer.hasMarks, source(move.source, cannotReplace: there) {
      // A directory cannot replace a whiteout, nor a whiteout's kind of file: they change places, and what comes to the old
      // name goes, or stays as the whiteout that is needed there.
      try FileCalls.rename(oldBase.raw, move.oldName.span, to: newBase.raw, move.newName.span, .exchange)
      if !(needsWhiteout && there.isWhiteout) {
        try? FileCalls.remove(oldBase.raw, move.oldName.span, isDirectory: there.isDirectory)
        if needsWhiteout { try FileCalls.makeWhiteout(oldBase.raw, move.oldName.span) }
      }
    } else if needsWhiteout {
      try moveLeavingWhiteout(move)
    } else {
      try FileCalls.rename(oldBase.raw, move.oldName.span, to: newBase.raw, move.newName.span)
    }
    if let target = move.target {
      if let leaving { layer.allowance?.take(target, leaving) }
      forgetName(target, move.newParent, newName)
    }
    nodes.removeName(move.source, move.oldParent, move.oldName.span)
    nodes.addName(move.source, move.newParent, move.newName)
    guard let caller else { return }
    try leaveGuestWhiteout(move, caller)
    names = 1
  }

  private func source(_ source: Node, cannotReplace there: FileStatus) -> Bool {
    source.isDirectory && !there.isDirectory
  }

  private func moveLeavingWhiteout(_ move: Move) throws(Errno) {
    do throws(Errno) {
      try FileCalls.rename(
        move.oldBase.raw, move.oldName.span, to: move.newBase.raw, move.newName.span, .whiteout)
    } catch {
      // Older kernels want a privilege for it, and not every file system knows it: then in two steps.
      guard error == .notPermitted || error == .invalid else { throw error }
      let (work, whiteout) = try workPlace(in: move.layer)
      try FileCalls.makeWhiteout(work.raw, whiteout.span)
      do throws(Errno) {
        try FileCalls.rename(move.oldBase.raw, move.oldName.span, to: move.newBase.raw, move.newName.span)
        try FileCalls.rename(work.raw, whiteout.span, to: move.oldBase.raw, move.oldName.span)
      } catch {
        try? FileCalls.remove(work.raw, whiteout.span, isDirectory: false)
        throw error
      }
    }
  }

  /// RENAME_WHITEOUT of the guest (an overlayfs in it): a character device 0:0 of its own stays behind.
  private func leaveGuestWhiteout(_ move: Move, _ caller: Caller) throws(Errno) {
    let place = Place(base: move.oldBase, name: move.oldName)
    let wanted = try newOwner(.special(major: 0, minor: 0), place.base, mode: FileType.characterDevice, caller)
    guard move.layer.hasMarks else {
      try FileCalls.makeNode(place.base.raw, place.name.span, mode: FileType.characterDevice, major: 0, minor: 0)
      let host = try FileCalls.status(place.base.raw, place.name.span)
      return try setOwner(place, host: host, wanted: wanted, in: move.layer, isNew: true)
    }
    let (work, name) = try workPlace(in: move.layer)
    let temporary = Place(base: work, name: name)
    try makeSpecial(temporary, wanted, in: move.layer)
    let host = try FileCalls.status(work.raw, temporary.name.span)
    try setOwner(temporary, host: host, wanted: wanted, in: move.layer, isNew: true)
    try FileCalls.rename(work.raw, temporary.name.span, to: place.base.raw, place.name.span)
  }
}
