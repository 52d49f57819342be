import FUSE
import Host

/// Where a name is in the merged tree.
struct Found: ~Copyable {
  /// The topmost layer that has the name, and its directory that does.
  let layer: Layer
  let base: SharedDescriptor
  /// Its name there, where that is another one.
  var name: [UInt8]?
  /// Further layers whose directories of this name merge.
  var lower: [Layer] = []
  /// The topmost of those directories.
  var lowerIdentity: FileIdentity?
  /// A directory whose content no layer shows: a view into the host's kernel is mounted on it.
  var isMountPoint = false
}

/// What looking through the layers gave.
enum Resolution: ~Copyable {
  case found(Found)
  /// - whiteout: the write map says so itself.
  case absent(whiteout: Bool)

  consuming func found() -> Found? {
    switch consume self {
    case .found(let found): found
    case .absent: nil
    }
  }
}

/// A node and its attributes as the guest sees them.
struct Entry {
  let node: Node
  let status: FileStatus
}

extension LayeredTree {
  /// Looks a name up and counts the lookup. Nil when there is no such name.
  func lookUp(_ parent: Node, _ name: FileName) throws(Errno) -> Entry? {
    var status = FileStatus()
    guard let node = try lookUp(parent, name.terminated, &status) else { return nil }
    return Entry(node: node, status: status)
  }

  /// The same, for entries of directories.
  ///
  /// - Parameters:
  ///   - name: with its NUL.
  ///   - array: the name, for a new node to keep, if there is an array of it already.
  ///   - status: set to the attributes of what was found.
  func lookUp(
    _ parent: Node, _ name: Span<UInt8>, keeping array: [UInt8]? = nil, _ status: inout FileStatus
  ) throws(Errno) -> Node? {
    // Each turn but the last makes headway; only somebody who keeps changing a layer could need many.
    for _ in 0..<16 {
      switch try namespace.withReadLock({ () throws(Errno) -> Step in try step(parent, name, array, &status) }) {
      case .done(let node): return node
      case .replaced(let node): dropReplaced(node, parent, name)
      case .moved(let node): try follow(node)
      case .linkUp(let node):
        if let entry = try linkUp(node, parent, name) {
          status = entry.status
          return entry.node
        }
      }
    }
    throw .stale
  }

  private enum Step {
    case done(Node?)
    /// The host has something else under the name than the node.
    case replaced(Node)
    /// So it has for a shared file, which stands for its name.
    case moved(Node)
    /// The name is a lower one of a file that was copied up under another name.
    case linkUp(Node)
  }

  private func step(
    _ parent: Node, _ name: Span<UInt8>, _ array: [UInt8]?, _ status: inout FileStatus
  ) throws(Errno) -> Step {
    guard parent.isDirectory else { throw .notDirectory }
    if isReserved(parent, name) { return .done(nil) }
    if let known = nodes.lookUp(parent, name) {
      do throws(Errno) {
        status = try self.status(of: known)
        return .done(known)
      } catch {
        nodes.forget(known.id, 1)
        if error == .stale, known.isSharedFile { return .moved(known) }
        guard error == .stale, !known.isPinned else { throw error }
        return .replaced(known)
      }
    }
    if parent.isRemoved { return .done(nil) }
    guard let found = try resolve(parent, name, &status).found() else { return .done(nil) }
    let identity = FileIdentity(found.layer, status)
    let hasLinks = !status.isDirectory && status.links > 1 && !found.layer.isPack && found.layer.file == nil
    let linkedAs = hasLinks ? identity : nil
    if let linkedAs, let known = nodes.linkedNode(linkedAs), !known.isRemoved, known.layer !== found.layer {
      return .linkUp(known)
    }
    let array = array ?? [UInt8](copying: name)
    let place = Place(base: found.base, name: found.name ?? array)
    decodeOwner(&status, place, in: found.layer)
    let inode = number(of: found, status, place: place, in: parent)
    let type = status.mode & FileType.mask
    let node = nodes.enter(parent, array, linkedAs: linkedAs) { id in
      LayeredTree.makeNode(id, found, type, identity, inode, parent, array)
    }
    if node.isSynthetic {
      status = syntheticStatus()
    } else if node.identity == identity, !node.mayBeSealed {
      adjust(&status, node)
    } else {
      status = try self.status(of: node)
    }
    return .done(node)
  }

  /// - Parameter type: the type bits of its mode as the guest sees it.
  static func makeNode(
    _ id: UInt64, _ found: borrowing Found, _ type: UInt32, _ identity: FileIdentity, _ inode: UInt64, _ parent: Node,
    _ name: [UInt8]
  ) -> Node {
    let node = Node(
      id: id, type: type, inode: inode, parent: parent, name: name, identity: identity,
      writeLayer: parent.writeLayer, caching: found.layer.caching)
    node.isMappable = found.layer.isRead
    // A share takes no copies of what is not its own.
    if let share = node.writeLayer, share.isShare, found.layer !== share || found.isMountPoint { node.writeLayer = nil }
    if found.isMountPoint { return node }
    if node.isDirectory {
      node.parts = [DirectoryPart(layer: found.layer)] + found.lower.map { DirectoryPart(layer: $0) }
    } else {
      node.layer = found.layer
    }
    if found.layer.file != nil, found.layer.isShare {
      node.writeLayer = found.layer.isWritable ? found.layer : nil
      node.isPinned = true
    }
    return node
  }

  /// Has the node of a shared file stand for what has the file's name on the host by now: an editor may have replaced the file.
  ///
  /// - Throws: ENOENT where no file has it.
  func follow(_ node: Node) throws(Errno) {
    guard let layer = node.layer, let file = layer.file else { return }
    let status = try FileCalls.status(layer.root.raw, file.name.span)
    guard status.isRegular else { throw .notFound }
    let identity = FileIdentity(layer, status)
    if namespace.withReadLock({ node.identity }) == identity { return }
    namespace.withWriteLock {
      node.identity = identity
      files.drop(node)
    }
  }

  /// Forgets under which name a node was that the host has replaced. Requests for it find it stale from now on.
  private func dropReplaced(_ node: Node, _ parent: Node, _ name: Span<UInt8>) {
    namespace.withWriteLock {
      guard nodes.peek(parent, name) === node else { return }
      nodes.removeName(node, parent, name)
      node.isRemoved = node.parent == nil
      // What the guest has open of it stays, as long as it is.
      guard node.isRemoved else { return }
      node.anonymous = nodes.takePin(node) ? files.find(node, forWriting: false) : files.held(node)
      if node.anonymous == nil { nodes.discard(node) }
    }
  }

  // MARK: Through the layers

  /// Looks through the layers, top down. The namespace lock is held.
  ///
  /// - Parameter status: set to what the host has in the topmost layer that has the name.
  func resolve(_ parent: Node, _ name: Span<UInt8>, _ status: inout FileStatus) throws(Errno) -> Resolution {
    var denied: Errno?
    var mountPoint: Found?
    var mountStatus = FileStatus()
    let parts = parent.parts
    let file = parent.file(name)
    if let file, file.isShare { return try resolve(file, &status) }
    var walk = PartIndex.Walk(parts, name, indices)
    var misses = 0
    defer { if indices.isWorthIndex(parts, misses: misses) { makeIndex(of: parent, parts) } }
    while let index = walk.next() {
      let layer = parts[index].layer
      if let file, file.rank < layer.rank, !parent.hides(name) { return try resolve(file, &status) }
      if layer.isRead, parent.hides(name) { break }
      let base: SharedDescriptor
      do throws(Errno) {
        base = try descriptor(of: parent, parts[index])
        status = try FileCalls.status(base.raw, name)
      } catch {
        if error == .notFound {
          misses += 1
          continue
        }
        // What the host does not let us see in a layer below is not there, if there can be something above.
        if error == .accessDenied, layer.isRead, parent.writeLayer != nil {
          denied = error
          continue
        }
        throw error
      }
      if layer.hasMarks, status.isWhiteout { return .absent(whiteout: layer === parent.writeLayer) }
      if layer.isKernelView(status, base, name) {
        if status.isDirectory, mountPoint == nil {
          mountPoint = Found(layer: layer, base: base, isMountPoint: true)
          mountStatus = status
        }
        continue
      }
      if mayGoOnBelow(parts[index], base, status), FileCalls.goesOnBelow(base.raw, name, status) { throw .notPermitted }
      var found = Found(layer: layer, base: base)
      if status.isDirectory, index + 1 < parts.count {
        misses += try addLower(&found, parts, walk, above: file, parent, name)
      }
      return .found(found)
    }
    if let file, !parent.hides(name) { return try resolve(file, &status) }
    if let mountPoint {
      status = mountStatus
      return .found(mountPoint)
    }
    if let denied, parent.writeLayer == nil { throw denied }
    return .absent(whiteout: false)
  }

  /// A single file, where it is mapped.
  private func resolve(_ layer: Layer, _ status: inout FileStatus) throws(Errno) -> Resolution {
    guard let file = layer.file else { return .absent(whiteout: false) }
    do throws(Errno) {
      status = try FileCalls.status(layer.root.raw, file.name.span)
    } catch {
      if error == .notFound { return .absent(whiteout: false) }
      throw error
    }
    guard status.isRegular else { return .absent(whiteout: false) }
    return .found(Found(layer: layer, base: layer.root, name: file.name))
  }

  /// Whether the host has the file of a layer of one.
  func isThere(_ layer: Layer) -> Bool {
    guard let file = layer.file else { return false }
    return (try? FileCalls.status(layer.root.raw, file.name.span))?.isRegular == true
  }

  /// Whether to ask for overlayfs's marks of what goes on in a layer below: the tree does not follow them, and half of a thing
  /// is not to pass for the whole. overlayfs refuses with EPERM, too, where it may not follow them.
  private func mayGoOnBelow(_ part: DirectoryPart, _ base: SharedDescriptor, _ status: FileStatus) -> Bool {
    guard part.layer.hasMarks, !part.layer.isPack else { return false }
    // overlayfs takes its note on the directory away when it no longer knows where a thing came from.
    if status.isDirectory ? part.layer !== layers.last : status.blocks * 512 < status.length { return true }
    return part.mayHavePartial(base)
  }

  /// Finds the directories of further layers that merge with one that was found above them.
  ///
  /// - Parameters:
  ///   - walk: what is to be asked yet.
  ///   - file: the layer of a single file of this name, which hides what is below it.
  /// - Returns: how many were asked in vain.
  private func addLower(
    _ found: inout Found, _ parts: [DirectoryPart], _ walk: PartIndex.Walk, above file: Layer?, _ parent: Node,
    _ name: Span<UInt8>
  ) throws(Errno) -> Int {
    var (walk, above, misses) = (walk, found.base, 0)
    while let index = walk.next() {
      let part = parts[index]
      if let file, part.layer.rank > file.rank { break }
      if part.layer.isRead, parent.hides(name) { break }
      let status: FileStatus
      let base: SharedDescriptor
      do throws(Errno) {
        base = try descriptor(of: parent, part)
        status = try FileCalls.status(base.raw, name)
      } catch {
        if error == .notFound || (error == .accessDenied && part.layer.isRead) {
          misses += 1
          continue
        }
        throw error
      }
      if part.layer.hasMarks, status.isWhiteout { break }
      if part.layer.isKernelView(status, base, name) { continue }
      guard status.isDirectory, !isOpaque(above, name) else { break }
      if found.lower.isEmpty { found.lowerIdentity = FileIdentity(part.layer, status) }
      found.lower.append(part.layer)
      above = base
    }
    return misses
  }

  /// Reads the names of all packs of a directory. The namespace lock is held.
  private func makeIndex(of node: Node, _ parts: [DirectoryPart]) {
    guard let first = indices.placeForIndex(parts) else { return }
    var maker = indices.maker()
    do throws(Errno) {
      for part in parts[first...] {
        var reader = DirectoryReader()
        let directory = try openToRead(node, part)
        while let entry = try reader.peek(directory.raw) {
          maker.add(reader.name(entry))
          reader.advance(past: entry)
        }
        maker.endPack()
      }
    } catch {
      // Without one the packs are asked.
      return
    }
    indices.set(maker, parts[first])
  }

  /// A directory's part in one layer, opened for its names. The namespace lock is held.
  func openToRead(_ node: Node, _ part: DirectoryPart) throws(Errno) -> FileDescriptor {
    let place = try descriptor(of: node, part)
    let dot: [UInt8] = [UInt8(ascii: "."), 0]
    return try FileCalls.openBeneath(place.raw, dot.span, OpenFlags.directory)
  }

  /// Whether a name would show if the write map had nothing under it. The namespace lock is held.
  func showsBelow(_ parent: Node, _ name: Span<UInt8>) throws(Errno) -> Bool {
    let file = parent.file(name)
    let parts = parent.parts
    var walk = PartIndex.Walk(parts, name, indices)
    while let index = walk.next() {
      let part = parts[index]
      if part.layer === parent.writeLayer { continue }
      if let file, file.rank < part.layer.rank, !parent.hides(name), isThere(file) { return true }
      if part.layer.isRead, parent.hides(name) { return false }
      do throws(Errno) {
        let base = try descriptor(of: parent, part)
        let isWhiteout = try FileCalls.status(base.raw, name).isWhiteout
        return !(isWhiteout && part.layer.hasMarks)
      } catch {
        if error == .notFound || error == .accessDenied { continue }
        throw error
      }
    }
    return file.map { !parent.hides(name) && isThere($0) } ?? false
  }

  /// Whether a directory hides what layers below have under its path.
  private func isOpaque(_ base: SharedDescriptor, _ name: Span<UInt8>) -> Bool {
    var buffer = InlineArray<128, UInt8>(repeating: 0)
    if user == 0,
      FileCalls.shortAttribute(base.raw, name, MarkName.opaqueTrusted, into: &buffer) == 1,
      buffer[0] == UInt8(ascii: "y")
    {
      return true
    }
    return FileCalls.shortAttribute(base.raw, name, MarkName.opaqueUser, into: &buffer) == 1
      && buffer[0] == UInt8(ascii: "y")
  }

  /// Names in a write map's root that are the tree's own.
  func isReserved(_ parent: Node, _ name: Span<UInt8>) -> Bool {
    guard !parent.mounted.isEmpty, WorkDirectory.name.equals(name) else { return false }
    return parent.mounted.contains { $0.work != nil }
  }

  // MARK: Attributes

  /// The attributes of a node as the guest sees them. The namespace lock is held.
  ///
  /// - Throws: `stale` when the host has something else in its place.
  func status(of node: Node) throws(Errno) -> FileStatus {
    if node.isSynthetic { return syntheticStatus() }
    let place = try place(of: node)
    var status: FileStatus
    do throws(Errno) {
      status = try shownStatus(node, place)
    } catch {
      if error == .notFound { throw .stale }
      throw error
    }
    if node.anonymous == nil {
      guard status.device == node.identity.device, status.inode == node.identity.inode else { throw .stale }
    }
    // Inode numbers are used again: a FIFO may have that of a file that was.
    guard status.mode & FileType.mask == node.type else { throw .stale }
    adjust(&status, node)
    return status
  }

  /// The attributes of an open file, wherever its name is. The namespace lock is held.
  func status(of node: Node, open file: SharedDescriptor) throws(Errno) -> FileStatus {
    var status = try shownStatus(node, Place(base: file, name: FileCalls.itself))
    adjust(&status, node)
    return status
  }

  /// With whom the guest says that it belongs to, while nobody breaks its seal.
  private func shownStatus(_ node: Node, _ place: Place) throws(Errno) -> FileStatus {
    try withSeal(node) { () throws(Errno) in
      var status = try FileCalls.status(place.base.raw, place.name.span)
      decodeOwner(&status, place, in: node.topLayer)
      return status
    }
  }

  private func syntheticStatus() -> FileStatus {
    var status = FileStatus()
    status.mode = FileType.directory | 0o755
    status.links = 1
    status.accessed = started
    status.modified = started
    status.changed = started
    return status
  }

  /// What differs because the tree is merged.
  func adjust(_ status: inout FileStatus, _ node: Node) {
    if node.isDirectory {
      // A merged directory does not know how many it has; 1 tells tools not to count on it, as in overlayfs.
      if node.isRemoved { status.links = 0 } else if node.parts.count != 1 { status.links = 1 }
      status.changed = node.shownChange(status)
    } else if node.isRemoved, !node.isUpper {
      status.links = 0
    } else if node.layer?.isPack == true {
      status.links = 1
    } else if node.linkAdjustment != 0 {
      let links = Int64(status.links) + Int64(node.linkAdjustment)
      status.links = UInt32(clamping: max(links, node.isRemoved ? 0 : 1))
    }
  }

  /// The guest's inode number of something found.
  ///
  /// - Parameter place: where its marks are, if it may have any.
  func number(of found: borrowing Found, _ status: FileStatus, place: Place?, in parent: Node) -> UInt64 {
    // Files that a pack has once under several names are several to the guest.
    if let place, found.layer.isPack, !status.isDirectory, status.links > 1 {
      return inodes.number(device: status.device, inode: LayeredTree.hash(parent.inode, place.name))
    }
    if let lower = found.lowerIdentity, found.layer.isWriteMap {
      return inodes.number(device: lower.device, inode: lower.inode)
    }
    if let place, found.layer.isWriteMap, !status.isDirectory {
      var buffer = InlineArray<128, UInt8>(repeating: 0)
      let mark = MarkName.inode(ownership)
      if let count = FileCalls.shortAttribute(place.base.raw, place.name.span, mark, into: &buffer), count == 16 {
        var number: UInt64 = 0
        for index in 0..<16 { number = number << 4 | UInt64(hexDigit(buffer[index])) }
        if number != 0 { return number }
      }
    }
    return inodes.number(device: status.device, inode: status.inode)
  }

  /// A number for a name in a directory, beyond those that file systems give out (FNV-1a).
  private static func hash(_ directory: UInt64, _ name: [UInt8]) -> UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325 ^ (directory &* 0x9e37_79b9_7f4a_7c15)
    for byte in name { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
    return (hash ^ hash >> 29) & 0x7fff_ffff_ffff | 1 << 47
  }

  private func hexDigit(_ byte: UInt8) -> UInt8 {
    byte >= UInt8(ascii: "a") ? (byte &- UInt8(ascii: "a") &+ 10) & 15 : (byte &- UInt8(ascii: "0")) & 15
  }

  static func hex(_ number: UInt64) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 16)
    for index in 0..<16 {
      let digit = UInt8((number >> UInt64(60 - index * 4)) & 15)
      bytes[index] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
    }
    return bytes
  }
}
