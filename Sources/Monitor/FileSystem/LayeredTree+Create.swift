import FUSE
import Host

/// Who asks, for the owner of what is made.
struct Caller {
  let uid: UInt32
  let gid: UInt32
  /// Permissions not to give, unless the directory has a default access list; 0 where the client takes them off itself.
  let umask: UInt32
}

/// Making names.
extension LayeredTree {
  /// What is to be made.
  enum NewObject {
    case file
    case directory
    case symlink(target: [UInt8])
    /// FIFO, socket or device; the type is in the mode.
    case special(major: UInt32, minor: UInt32)

    var isDirectory: Bool {
      if case .directory = self { return true }
      return false
    }
  }

  /// Makes a name with something new under it, and counts a lookup of it.
  ///
  /// - Parameters:
  ///   - mode: permissions, and the type of what is special.
  /// - Returns: for a file also a descriptor open for reading and writing.
  func make(
    _ object: NewObject, _ parent: Node, _ name: FileName, mode: UInt32, by caller: Caller
  ) throws(Errno) -> (entry: Entry, file: SharedDescriptor?) {
    try withRoomForName(in: parent) { () throws(Errno) in
      try namespace.withWriteLock { () throws(Errno) in try makeNow(object, parent, name, mode: mode, by: caller) }
    }
  }

  /// The same, with the namespace lock held for writing.
  private func makeNow(
    _ object: NewObject, _ parent: Node, _ name: FileName, mode: UInt32, by caller: Caller
  ) throws(Errno) -> (entry: Entry, file: SharedDescriptor?) {
    let slot = try freeSlot(parent, name)
    let inheritance = try inheritance(object, from: slot.base, mode: mode, umask: caller.umask)
    let wanted = try newOwner(object, slot.base, mode: inheritance.mode, caller)
    let array = name.terminatedArray()
    var place = Place(base: slot.base, name: array)
    var file: SharedDescriptor?
    if !slot.hasWhiteout {
      do throws(Errno) {
        file = try create(object, place, slot.layer, wanted, inheritance)
      } catch {
        // With no layer below, nobody has looked for a whiteout yet.
        guard error == .exists, slot.layer.hasMarks,
          let there = try? FileCalls.status(slot.base.raw, name.terminated), there.isWhiteout
        else { throw error }
        file = try replaceWhiteout(object, place, slot.layer, wanted, inheritance)
      }
    } else {
      file = try replaceWhiteout(object, place, slot.layer, wanted, inheritance)
    }
    place = Place(base: slot.base, name: array)
    do throws(Errno) {
      return (try enterNew(place, parent, slot.layer), file)
    } catch {
      // Who is told that it failed shall not find it.
      try? FileCalls.remove(slot.base.raw, array.span, isDirectory: object.isDirectory)
      if slot.hasWhiteout { try? FileCalls.makeWhiteout(slot.base.raw, array.span) }
      throw error
    }
  }

  /// Makes a file without a name, open for reading and writing.
  func makeTemporary(
    _ parent: Node, mode: UInt32, by caller: Caller
  ) throws(Errno) -> (entry: Entry, file: SharedDescriptor) {
    try namespace.withWriteLock { () throws(Errno) -> (entry: Entry, file: SharedDescriptor) in
      guard parent.isDirectory else { throw .notDirectory }
      if parent.isRemoved { throw .notFound }
      guard let layer = parent.writeLayer else { throw .readOnly }
      // It has nothing but its descriptor for as long as the guest likes.
      guard nodes.hasPinRoom else { throw .tooManyFiles }
      try copyUpDirectory(parent)
      let base = try descriptor(of: parent, in: layer)
      let inheritance = try inheritance(.file, from: base, mode: mode, umask: caller.umask)
      var wanted = try newOwner(.file, base, mode: inheritance.mode, caller)
      let dot: [UInt8] = [UInt8(ascii: "."), 0]
      let file = SharedDescriptor(
        try FileCalls.openBeneath(
          base.raw, dot.span, OpenFlags.temporary, mode: hostMode(wanted.mode, isDirectory: false) & 0o777))
      let place = Place(base: file, name: FileCalls.itself)
      let host = try FileCalls.status(file.raw)
      if inheritance.isByHost { wanted.keepPermissions(of: host) }
      try setOwner(place, host: host, wanted: wanted, in: layer, isNew: true)
      try record(inheritance, place)
      var status = try FileCalls.status(file.raw)
      decodeOwner(&status, place)
      let node = nodes.addAnonymous { id in
        let node = Node(
          id: id, type: FileType.regular, inode: inodes.number(device: status.device, inode: status.inode), parent: nil,
          name: FileCalls.itself, identity: FileIdentity(layer, status), writeLayer: layer, caching: layer.caching)
        node.layer = layer
        node.isRemoved = true
        node.anonymous = file
        return node
      }
      _ = nodes.takePin(node)
      layer.allowance?.addTemporary(node)
      return (Entry(node: node, status: status), file)
    }
  }

  /// Gives a file another name, and counts a lookup.
  func link(_ node: Node, _ parent: Node, _ name: FileName) throws(Errno) -> Entry {
    if node.isDirectory { throw .notPermitted }
    guard let layer = node.writeLayer else { throw .readOnly }
    if parent.writeLayer !== layer { throw parent.writeLayer == nil ? .readOnly : .crossDevice }
    try copyUp(node)
    let reservation = try layer.allowance?.reserve()
    var names: UInt64 = 0
    defer { if let reservation { layer.allowance!.settle(reservation, names: names) } }
    return try namespace.withWriteLock { () throws(Errno) -> Entry in
      let slot = try freeSlot(parent, name)
      let from = try place(of: node)
      let array = name.terminatedArray()
      if !slot.hasWhiteout {
        do throws(Errno) {
          try link(node, from, to: Place(base: slot.base, name: array))
        } catch {
          guard error == .exists, slot.layer.hasMarks,
            let there = try? FileCalls.status(slot.base.raw, array.span), there.isWhiteout
          else { throw error }
          try linkOverWhiteout(node, from, slot, array)
        }
      } else {
        try linkOverWhiteout(node, from, slot, array)
      }
      names = 1
      layer.allowance?.keep(node)
      dropUnknown(parent, name)
      node.isRemoved = false
      nodes.addName(node, parent, array)
      nodes.countLookup(node)
      nodes.link(node.identity, to: node)
      if node.anonymous != nil { node.anonymous = nil }
      nodes.dropPin(node)
      return Entry(node: node, status: try status(of: node))
    }
  }

  private func linkOverWhiteout(_ node: Node, _ from: Place, _ slot: Slot, _ name: [UInt8]) throws(Errno) {
    let (work, temporary) = try workPlace(in: slot.layer)
    try FileCalls.link(from.base.raw, from.name.span, to: work.raw, temporary.span)
    let rename = { () throws(Errno) in
      try FileCalls.rename(work.raw, temporary.span, to: slot.base.raw, name.span)
    }
    do throws(Errno) {
      if node.isSymlink {
        try linkLink(from, to: Place(base: slot.base, name: name), link: rename)
      } else {
        try rename()
      }
    } catch {
      try? FileCalls.remove(work.raw, temporary.span, isDirectory: false)
      throw error
    }
  }

  // MARK: Steps

  /// Where a new name goes.
  struct Slot {
    let layer: Layer
    let base: SharedDescriptor
    /// A whiteout has the name now.
    let hasWhiteout: Bool
  }

  /// Makes sure that a name is free and that its directory is in the write map. The namespace lock is held for writing.
  func freeSlot(_ parent: Node, _ name: FileName) throws(Errno) -> Slot {
    guard parent.isDirectory else { throw .notDirectory }
    if parent.isRemoved { throw .notFound }
    if isReserved(parent, name.terminated) { throw .notPermitted }
    if let known = nodes.peek(parent, name.terminated), known.isPinned { throw .exists }
    guard let layer = parent.writeLayer else { throw .readOnly }
    var hasWhiteout = false
    // Where nothing is below, making the name finds out by itself whether it is free.
    if parent.parts.count != 1 || parent.parts[0].layer !== layer {
      var status = FileStatus()
      switch try resolve(parent, name.terminated, &status) {
      case .found: throw .exists
      case .absent(let whiteout): hasWhiteout = whiteout
      }
    }
    try copyUpDirectory(parent)
    return Slot(layer: layer, base: try descriptor(of: parent, in: layer), hasWhiteout: hasWhiteout)
  }

  /// The owner and mode of something new: the caller's, and where the directory has setgid the directory's group.
  func newOwner(
    _ object: NewObject, _ base: SharedDescriptor, mode: UInt32, _ caller: Caller
  ) throws(Errno) -> OverrideStat {
    var directory = try FileCalls.status(base.raw)
    decodeOwner(&directory, Place(base: base, name: FileCalls.itself))
    var wanted = OverrideStat(uid: caller.uid, gid: caller.gid, mode: mode & 0o7777)
    if directory.mode & 0o2000 != 0 {
      wanted.gid = directory.gid
      if object.isDirectory { wanted.mode |= 0o2000 }
    }
    switch object {
    case .file: wanted.mode |= FileType.regular
    case .directory: wanted.mode |= FileType.directory
    case .symlink: wanted.mode |= FileType.symlink
    case .special(let major, let minor):
      wanted.mode |= mode & FileType.mask
      (wanted.major, wanted.minor) = (major, minor)
    }
    return wanted
  }

  /// Makes an object at a free name. What is half made is taken away again.
  private func create(
    _ object: NewObject, _ place: Place, _ layer: Layer, _ wanted: OverrideStat, _ inheritance: Inheritance
  ) throws(Errno) -> SharedDescriptor? {
    var file: SharedDescriptor?
    let permissions = hostMode(wanted.mode, isDirectory: object.isDirectory) & 0o777
    switch object {
    case .file:
      file = SharedDescriptor(
        try FileCalls.openBeneath(
          place.base.raw, place.name.span, OpenFlags.createExclusively, mode: permissions))
    case .directory:
      try FileCalls.makeDirectory(place.base.raw, place.name.span, mode: permissions)
    case .symlink(let target):
      try FileCalls.makeSymlink(place.base.raw, place.name.span, target: target + [0])
    case .special:
      try makeSpecial(place, wanted, in: layer)
    }
    do throws(Errno) {
      // A file is what was opened, whatever has its name by now.
      let made = file.map { Place(base: $0, name: FileCalls.itself) } ?? place
      let host = try FileCalls.status(made.base.raw, made.name.span)
      var wanted = wanted
      if inheritance.isByHost { wanted.keepPermissions(of: host) }
      try setOwner(made, host: host, wanted: wanted, in: layer, isNew: true)
      try record(inheritance, made)
    } catch {
      try? FileCalls.remove(place.base.raw, place.name.span, isDirectory: object.isDirectory)
      throw error
    }
    return file
  }

  /// Makes an object in the work directory and moves it over a whiteout. A directory so made hides what is below.
  private func replaceWhiteout(
    _ object: NewObject, _ place: Place, _ layer: Layer, _ wanted: OverrideStat, _ inheritance: Inheritance
  ) throws(Errno) -> SharedDescriptor? {
    let (work, temporaryName) = try workPlace(in: layer)
    var temporary = Place(base: work, name: temporaryName)
    if inheritance.isByHost {
      // In a directory of its own, from which it inherits what its place would give it.
      temporary = Place(base: try makeShelf(temporary, like: place.base), name: temporary.name)
    }
    defer { if inheritance.isByHost { try? FileCalls.remove(work.raw, temporary.name.span, isDirectory: true) } }
    let file = try create(object, temporary, layer, wanted, inheritance)
    do throws(Errno) {
      if object.isDirectory {
        try setOpaque(temporary)
        try FileCalls.rename(
          temporary.base.raw, temporary.name.span, to: place.base.raw, place.name.span, .exchange)
        try? FileCalls.remove(temporary.base.raw, temporary.name.span, isDirectory: false)
      } else {
        let rename = { () throws(Errno) in
          try FileCalls.rename(temporary.base.raw, temporary.name.span, to: place.base.raw, place.name.span)
        }
        if case .symlink = object { try renameLink(temporary, to: place, rename: rename) } else { try rename() }
      }
    } catch {
      try? FileCalls.remove(temporary.base.raw, temporary.name.span, isDirectory: object.isDirectory)
      throw error
    }
    return file
  }

  /// Makes a directory with the default access list of another.
  private func makeShelf(_ place: Place, like directory: SharedDescriptor) throws(Errno) -> SharedDescriptor {
    let itself = FileCalls.itself
    let list = try FileCalls.attribute(directory.raw, itself.span, MarkName.defaultACL)
    try FileCalls.makeDirectory(place.base.raw, place.name.span, mode: 0o700)
    if let list { try FileCalls.setAttribute(place.base.raw, place.name.span, MarkName.defaultACL, list) }
    return SharedDescriptor(
      try FileCalls.openBeneath(place.base.raw, place.name.span, OpenFlags.directoryPath))
  }

  private func enterNew(_ place: Place, _ parent: Node, _ layer: Layer) throws(Errno) -> Entry {
    var status = try FileCalls.status(place.base.raw, place.name.span)
    let identity = FileIdentity(layer, status)
    decodeOwner(&status, place)
    if let known = nodes.peek(parent, place.name.span) {
      // The host took away what the guest knew here.
      nodes.removeName(known, parent, place.name.span)
      known.isRemoved = known.parent == nil
    }
    let found = Found(layer: layer, base: place.base)
    let type = status.mode & FileType.mask
    let inode = inodes.number(device: status.device, inode: status.inode)
    let node = nodes.enter(parent, place.name, linkedAs: nil) { id in
      LayeredTree.makeNode(id, found, type, identity, inode, parent, place.name)
    }
    adjust(&status, node)
    return Entry(node: node, status: status)
  }

  private func dropUnknown(_ parent: Node, _ name: FileName) {
    guard let known = nodes.peek(parent, name.terminated) else { return }
    nodes.removeName(known, parent, name.terminated)
    known.isRemoved = known.parent == nil
  }
}
