import FUSE
import Host

/// What a name shows in the merged tree.
struct Found {
  /// As the host has it, in the topmost layer that has the name.
  var status: FileStatus
  var layer: Layer
  /// Further layers whose directories of this name merge.
  var lower: [Layer] = []
  /// The topmost of those directories.
  var lowerIdentity: FileIdentity?
  /// A directory whose content no layer shows: a view into the host's kernel is mounted on it.
  var isMountPoint = false
}

/// What looking through the layers gave.
enum Resolution {
  case found(Found)
  /// - whiteout: the write map says so itself.
  case absent(whiteout: Bool)

  var found: Found? {
    if case .found(let found) = self { return found }
    return nil
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
    // Each turn but the last makes headway; only somebody who keeps changing a layer could need many.
    for _ in 0..<16 {
      switch try namespace.withReadLock({ () throws(Errno) -> Step in try step(parent, name) }) {
      case .done(let entry): return entry
      case .replaced(let node): dropReplaced(node, parent, name)
      case .linkUp(let node):
        if let entry = try linkUp(node, parent, name) { return entry }
      }
    }
    throw .stale
  }

  private enum Step {
    case done(Entry?)
    /// The host has something else under the name than the node.
    case replaced(Node)
    /// The name is a lower one of a file that was copied up under another name.
    case linkUp(Node)
  }

  private func step(_ parent: Node, _ name: FileName) throws(Errno) -> Step {
    guard parent.isDirectory else { throw .notDirectory }
    if isReserved(parent, name.terminated) { return .done(nil) }
    if let known = nodes.lookUp(parent, name.terminated) {
      do throws(Errno) {
        return .done(Entry(node: known, status: try status(of: known)))
      } catch {
        nodes.forget(known.id, 1)
        guard error == .stale, !known.isPinned else { throw error }
        return .replaced(known)
      }
    }
    if parent.isRemoved { return .done(nil) }
    guard var found = try resolve(parent, name.terminated).found else { return .done(nil) }
    let identity = FileIdentity(found.layer, found.status)
    let linkedAs = !found.status.isDirectory && found.status.links > 1 && !found.layer.isPack ? identity : nil
    if let linkedAs, let known = nodes.linkedNode(linkedAs), !known.isRemoved, known.layer !== found.layer {
      return .linkUp(known)
    }
    let place = Place(base: try descriptor(of: parent, in: found.layer), name: name.terminatedArray())
    if found.layer.keepsOwners { decodeOwner(&found.status, place, isPack: found.layer.isPack) }
    let inode = number(of: found, place: place, in: parent)
    let node = nodes.enter(parent, place.name, linkedAs: linkedAs) { id in
      LayeredTree.makeNode(id, found, identity, inode, parent, place.name)
    }
    if node.isSynthetic { return .done(Entry(node: node, status: syntheticStatus())) }
    if node.identity == identity { adjust(&found.status, node) } else { found.status = try status(of: node) }
    return .done(Entry(node: node, status: found.status))
  }

  static func makeNode(
    _ id: UInt64, _ found: Found, _ identity: FileIdentity, _ inode: UInt64, _ parent: Node, _ name: [UInt8]
  ) -> Node {
    let node = Node(
      id: id, type: found.status.mode & FileType.mask, inode: inode, parent: parent, name: name, identity: identity,
      writeLayer: parent.writeLayer, caching: found.layer.caching)
    node.isMappable = found.layer.isRead
    if found.isMountPoint { return node }
    if node.isDirectory {
      node.parts = [DirectoryPart(layer: found.layer)] + found.lower.map { DirectoryPart(layer: $0) }
    } else {
      node.layer = found.layer
    }
    return node
  }

  /// Forgets under which name a node was that the host has replaced. Requests for it find it stale from now on.
  private func dropReplaced(_ node: Node, _ parent: Node, _ name: FileName) {
    namespace.withWriteLock {
      guard nodes.peek(parent, name.terminated) === node else { return }
      nodes.removeName(node, parent, name.terminated)
      node.isRemoved = node.parent == nil
      // What the guest has open of it stays, as long as it is.
      if node.isRemoved, nodes.takePin(node) { node.anonymous = files.find(node, forWriting: false) }
    }
  }

  // MARK: Through the layers

  /// Looks through the layers, top down. The namespace lock is held.
  func resolve(_ parent: Node, _ name: Span<UInt8>) throws(Errno) -> Resolution {
    var found: Found?
    var above: SharedDescriptor?
    var denied: Errno?
    var mountPoint: Found?
    for part in parent.parts {
      if part.layer.isRead, parent.hides(name) { break }
      let status: FileStatus
      let base: SharedDescriptor
      do throws(Errno) {
        base = try descriptor(of: parent, part)
        status = try FileCalls.status(base.raw, name)
      } catch {
        if error == .notFound { continue }
        // What the host does not let us see in a layer below is not there, if there can be something above.
        if error == .accessDenied, part.layer.isRead, found != nil || parent.writeLayer != nil {
          denied = error
          continue
        }
        throw error
      }
      if part.layer.hasMarks, status.isWhiteout {
        if found == nil { return .absent(whiteout: part.layer === parent.writeLayer) }
        break
      }
      if part.layer.isKernelView(status, base, name) {
        if status.isDirectory, mountPoint == nil {
          mountPoint = Found(status: status, layer: part.layer, isMountPoint: true)
        }
        continue
      }
      if found == nil {
        found = Found(status: status, layer: part.layer)
        if !status.isDirectory { break }
      } else {
        guard status.isDirectory, let over = above, !isOpaque(over, name) else { break }
        if found!.lower.isEmpty { found!.lowerIdentity = FileIdentity(part.layer, status) }
        found!.lower.append(part.layer)
      }
      above = base
    }
    if let found = found ?? mountPoint { return .found(found) }
    if let denied, parent.writeLayer == nil { throw denied }
    return .absent(whiteout: false)
  }

  /// Whether a name would show if the write map had nothing under it. The namespace lock is held.
  func showsBelow(_ parent: Node, _ name: Span<UInt8>) throws(Errno) -> Bool {
    for part in parent.parts where part.layer !== parent.writeLayer {
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
    return false
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
      status = try FileCalls.status(place.base.raw, place.name.span)
    } catch {
      if error == .notFound { throw .stale }
      throw error
    }
    if node.anonymous == nil {
      guard status.device == node.identity.device, status.inode == node.identity.inode else { throw .stale }
    }
    if keepsOwners(node) { decodeOwner(&status, place, isPack: isInPack(node)) }
    // Inode numbers are used again: a FIFO may have that of a file that was.
    guard status.mode & FileType.mask == node.type else { throw .stale }
    adjust(&status, node)
    return status
  }

  /// The attributes of an open file, wherever its name is. The namespace lock is held.
  func status(of node: Node, open file: SharedDescriptor) throws(Errno) -> FileStatus {
    var status = try FileCalls.status(file.raw)
    if keepsOwners(node) { decodeOwner(&status, Place(base: file, name: FileCalls.itself), isPack: isInPack(node)) }
    adjust(&status, node)
    return status
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
  func number(of found: Found, place: Place?, in parent: Node) -> UInt64 {
    // Files that a pack has once under several names are several to the guest.
    if let place, found.layer.isPack, !found.status.isDirectory, found.status.links > 1 {
      return inodes.number(device: found.status.device, inode: LayeredTree.hash(parent.inode, place.name))
    }
    if let lower = found.lowerIdentity, found.layer.isWriteMap {
      return inodes.number(device: lower.device, inode: lower.inode)
    }
    if let place, found.layer.isWriteMap, !found.status.isDirectory {
      var buffer = InlineArray<128, UInt8>(repeating: 0)
      let mark = MarkName.inode(ownership)
      if let count = FileCalls.shortAttribute(place.base.raw, place.name.span, mark, into: &buffer), count == 16 {
        var number: UInt64 = 0
        for index in 0..<16 { number = number << 4 | UInt64(hexDigit(buffer[index])) }
        if number != 0 { return number }
      }
    }
    return inodes.number(device: found.status.device, inode: found.status.inode)
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
