import Host
import Synchronization

/// A tree composed of host directories: read layers below, write maps above, merged as the kernel's overlayfs merges.
///
/// - Later read layers hide earlier ones; write maps hide all read layers, and of two write maps the one deeper in the
///   guest's tree hides the other. Directories of one path merge; anything else hides what lies below it.
/// - What the guest changes is first copied up into the write map that covers its path. Removed names are marked by
///   whiteouts, replaced directories by an opaque mark, in overlayfs's form on disk.
/// - Every access is beneath an open directory of a layer, one name at a time, following no symlink. Files are reached
///   from their directory by name, so only directories in use (`DescriptorCache`), open files, and removed files that
///   the guest still uses hold descriptors.
///
/// Locks, in the order in which they may be taken: a stripe of `copying`, `namespace`, then those inside the tables.
/// `namespace` is held for reading by whatever needs names to stay, for writing by whatever changes them; file data moves
/// with neither.
package final class LayeredTree: @unchecked Sendable {
  let ownership: Ownership
  let users: IDMap
  let groups: IDMap
  /// In order of rank.
  let layers: [Layer]
  let nodes: NodeTable
  let cache: DescriptorCache
  let files: FileCache
  let listings = ListingCache()
  let indices = PartIndices()
  /// What is in the guest's DAX window, if it has one.
  let mapped: MappedRanges?
  let namespace = ReadWriteLock()
  let copying: [Lock]
  /// Held while the record of a directory's symlinks is changed: taken after the namespace's, before those of nodes, files and
  /// allowances.
  let linkOwners = Lock()
  /// Held while what may break a seal goes on, or looks at one; taken before that, for a symlink's record.
  let seals = Lock()
  let inodes: InodeNumbers
  let root: Node
  let user: UInt32
  let group: UInt32
  /// When the directories that are in no layer were made.
  var started = FileTime.now()
  /// Guests choose names: without it they could choose ones whose offsets in listings (`MergedDirectory`) collide.
  var listingSeed = UInt64.random(in: .min ... .max)
  /// When the states were written, one after the other, that the nodes are from at which nobody has looked since (`Node.unseen`).
  var moments: [FileTime] = []
  static let mostMoments = 250
  private let isAbandoned = Atomic<Bool>(false)

  /// Opens the maps and composes the tree.
  ///
  /// - Parameters:
  ///   - reads: layers for reading, later ones above earlier ones.
  ///   - writes: where changes go; without any the tree is read-only.
  ///   - shares: directories that are in the tree as they are.
  ///   - hides: guest paths that the read layers do not show.
  ///   - ownership: how owners are kept in the write maps and shares.
  ///   - users: which host users stand for the guest's, and `groups` likewise; only with `.real` ownership.
  ///   - window: what the guest can map files into.
  ///   - mountPoints: guest paths at which there is a directory, whatever the layers have, for the guest to mount on.
  ///   - treeCount: how many trees this process serves, which share its descriptors.
  ///   - budget: how many of them it may have, if not its part of what there are.
  ///   - user: whose files are the guest's root's, with `.recorded` ownership, and `group` likewise.
  package init(
    reads: [LayerMap], writes: [LayerMap] = [], shares: [Share] = [], hides: [Path] = [],
    ownership: Ownership = .forThisUser,
    users: IDMap = IDMap(), groups: IDMap = IDMap(), window: FileWindow? = nil, mountPoints: [Path] = [],
    treeCount: Int = 1, budget: DescriptorBudget? = nil, user: UInt32 = FileCalls.effectiveUser,
    group: UInt32 = FileCalls.effectiveGroup
  ) throws(TreeError) {
    (self.user, self.group) = (user, group)
    self.ownership = ownership
    self.users = users
    self.groups = groups
    mapped = window.map { MappedRanges($0) }
    let budget = budget ?? .ofThisProcess(treeCount: treeCount)
    cache = DescriptorCache(capacity: budget.directories)
    files = FileCache(capacity: budget.files)
    nodes = NodeTable(files: files)
    nodes.pinLimit = budget.removed
    var copying: [Lock] = []
    for _ in 0..<16 { copying.append(Lock()) }
    self.copying = copying

    // Deeper write maps first, then in reverse order of mention.
    let depth = { (map: LayerMap) -> Int in LayeredTree.components(map.guestPath)?.count ?? 0 }
    var ordered: [(map: LayerMap, kind: Layer.Kind)] = []
    for (_, map) in writes.enumerated().sorted(by: {
      (depth($0.element), $0.offset) > (depth($1.element), $1.offset)
    }) { ordered.append((map, .write)) }
    for share in shares.reversed() { ordered.append((share.map, .share(share.caching, isReadOnly: share.isReadOnly))) }
    for map in reads.reversed() { ordered.append((map, map.isPack ? .pack : .read)) }
    var layers: [Layer] = []
    for (map, kind) in ordered { layers.append(try LayeredTree.open(map, rank: layers.count, kind: kind)) }
    for layer in layers { layer.findWhoComes(besides: layers) }
    self.layers = layers

    let isOfFiles = !layers.isEmpty && layers.allSatisfy { $0.file != nil }
    guard
      let base = isOfFiles
        ? layers.last : layers.last(where: { LayeredTree.components($0.map.guestPath)?.isEmpty == true }),
      let status = try? FileCalls.status(base.root.raw)
    else { throw .noRoot }
    inodes = InodeNumbers(main: status.device)
    root = Node(
      id: 1, type: FileType.directory, inode: inodes.number(device: status.device, inode: status.inode), parent: nil,
      name: FileCalls.itself, identity: FileIdentity(base, status), writeLayer: nil)
    root.isPinned = true
    root.holds = 1
    nodes.addRoot(root)

    for layer in layers { layer.work?.removeLeftovers() }

    // Shallow maps first: the way to a deeper one may lead through them.
    for layer in layers.sorted(by: { (depth($0.map), -$0.rank) < (depth($1.map), -$1.rank) }) {
      if layer.file != nil {
        let directory = try walk(LayeredTree.divide(layer.map.guestPath).directory)
        directory.files = (directory.files + [layer]).sorted { $0.rank < $1.rank }
        directory.hasPinnedChildren = true
      } else {
        let node = try walk(layer.map.guestPath)
        node.mounted = node.mounted + [layer]
      }
      composePinned()
    }
    for path in hides { try hide(path) }
    for path in mountPoints { _ = try walk(path) }
    if !(hides.isEmpty && mountPoints.isEmpty) { composePinned() }
    for node in [root] + pinnedNodes { adoptAttributes(node) }
    for layer in layers {
      do throws(Errno) { try layer.count() } catch { throw .unreadable(hostPath: layer.map.hostPath, error) }
    }
  }

  /// Whether the guest can change anything.
  var isWritable: Bool { layers.contains { $0.isWritable } }

  /// Whether files can have POSIX access control lists of the guest's: where the host keeps them the ids in them must be the
  /// guest's own.
  var keepsAccessLists: Bool { ownership == .recorded || (users.ranges.isEmpty && groups.ranges.isEmpty) }

  /// Whether the guest is the only one to change what it sees.
  var isPrivate: Bool { layers.allSatisfy { $0.caching == .always } }

  /// Whether the guest's kernel caches data of files that can be written.
  var isWritableThroughCache: Bool { layers.contains { $0.isWritable && $0.caching != .none } }

  deinit {
    close()
    // From below: the last to go of a deep tree would take all above it along, on the stack.
    nodes.forgetAll()
  }

  /// Has `close` do nothing.
  func abandon() { isAbandoned.store(true, ordering: .relaxed) }

  /// Removes what the tree needed for itself in the write maps.
  func close() {
    guard !isAbandoned.load(ordering: .relaxed) else { return }
    for layer in layers { layer.work?.close() }
  }

  private static func open(_ map: LayerMap, rank: Int, kind: Layer.Kind) throws(TreeError) -> Layer {
    let opened: FileDescriptor
    do throws(Errno) {
      opened = try FileDescriptor.open(map.place ?? map.hostPath, OpenFlags.directory)
    } catch {
      if error == .notDirectory, kind != .write, kind != .pack, components(map.guestPath)?.isEmpty == false {
        return try openFile(map, rank: rank, kind: kind)
      }
      if error == .notDirectory { throw .notADirectory(hostPath: map.hostPath) }
      throw .unreadable(hostPath: map.hostPath, error)
    }
    if kind == .write || kind.isWritableShare {
      do throws(Errno) {
        try FileCalls.checkWritable(opened.raw)
        _ = try FileCalls.attributeNames(opened.raw)
      } catch {
        if error == .notFound { throw .noProc }
        throw .unwritable(hostPath: map.hostPath, error)
      }
    }
    do throws(Errno) {
      return try Layer(rank: rank, map: map, root: SharedDescriptor(opened), kind: kind)
    } catch {
      throw .unreadable(hostPath: map.hostPath, error)
    }
  }

  /// Opens the layer of a single file (docs/decisions/0038-mapped-files.md): by its name in its directory, so that what others put in
  /// its place is found; or the file itself, where it was opened before (`LayerMap.place`) or its name is a symbolic link.
  private static func openFile(_ map: LayerMap, rank: Int, kind: Layer.Kind) throws(TreeError) -> Layer {
    let guestName = try divide(map.guestPath).name
    do throws(Errno) {
      let held = try FileDescriptor.open(map.place ?? map.hostPath, OpenFlags.path)
      let status = try FileCalls.status(held.raw)
      guard status.isRegular else { throw .notDirectory }
      if kind.isWritableShare { try FileCalls.checkWritable(held.raw, isDirectory: false) }
      let name = [UInt8](map.hostPath.bytes.split(separator: UInt8(ascii: "/")).last ?? []) + [0]
      let directory = try FileDescriptor.open(map.hostPath.parent, OpenFlags.directoryPath)
      let there = try FileCalls.status(directory.raw, name.span)
      let isByName = map.place == nil && there.device == status.device && there.inode == status.inode
      return try Layer(
        rank: rank, map: map, root: SharedDescriptor(isByName ? directory : held), kind: kind,
        file: Layer.SingleFile(guestName: guestName, name: isByName ? name : FileCalls.itself))
    } catch {
      if error == .notDirectory { throw .notADirectory(hostPath: map.hostPath) }
      if error == .accessDenied, kind.isWritableShare { throw .unwritable(hostPath: map.hostPath, error) }
      throw .unreadable(hostPath: map.hostPath, error)
    }
  }

  // MARK: Composing

  /// A path's last name, and the directory that it is in.
  private static func divide(_ path: Path) throws(TreeError) -> (directory: Path, name: [UInt8]) {
    guard var components = LayeredTree.components(path), let name = components.popLast(), name.count <= 256,
      !DirectoryReader.isDot(name.span)
    else { throw .badGuestPath(path) }
    var directory: Path = "/"
    for component in components { directory.bytes += component.dropLast() + [UInt8(ascii: "/")] }
    return (directory, name)
  }

  /// The components of an absolute path; nil for a relative one.
  static func components(_ path: Path) -> [[UInt8]]? {
    guard path.bytes.first == UInt8(ascii: "/") else { return nil }
    return split(path.bytes)
  }

  private static func split(_ path: [UInt8]) -> [[UInt8]] {
    path.split(separator: UInt8(ascii: "/")).filter { $0 != [UInt8(ascii: ".")] }.map { [UInt8]($0) + [0] }
  }

  private var pinnedNodes: [Node] = []
  /// How many directories there are from the start.
  var pinnedCount: Int { 1 + pinnedNodes.count }

  /// Finds a directory by path as the guest would, symlinks included, and makes it if it is not there. It and the way to
  /// it are pinned.
  private func walk(_ path: Path) throws(TreeError) -> Node {
    guard let components = LayeredTree.components(path) else { throw .badGuestPath(path) }
    var pending = [[UInt8]](components.reversed())
    var node = root
    var links = 0
    while let name = pending.popLast() {
      if DirectoryReader.isDot(name.span) {
        node = node.parent ?? root
        continue
      }
      guard name.count <= 256 else { throw .badGuestPath(path) }
      if let known = nodes.peek(node, name.span) {
        node = known
        continue
      }
      var inode = inodes.synthetic(UInt64(pinnedNodes.count))
      do throws(Errno) {
        var status = FileStatus()
        if let found = try resolve(node, name.span, &status).found() {
          if status.isSymlink {
            links += 1
            if links > 40 { throw .tooManySymlinks }
            let target = try FileCalls.readLink(found.base.raw, name.span)
            if target.first == UInt8(ascii: "/") { node = root }
            pending += LayeredTree.split(target).reversed()
            continue
          }
          if !status.isDirectory { throw .notDirectory }
          inode = number(of: found, status, place: nil, in: node)
        }
      } catch {
        if error == .tooManySymlinks { throw .tooManySymlinks(guestPath: path) }
        throw .badGuestPath(path)
      }
      node = pin(node, name, inode: inode)
    }
    return node
  }

  private func pin(_ parent: Node, _ name: [UInt8], inode: UInt64) -> Node {
    let node = nodes.enter(parent, name, linkedAs: nil) { id in
      Node(
        id: id, type: FileType.directory, inode: inode, parent: parent, name: name,
        identity: FileIdentity(rank: .max, device: 0, inode: inode), writeLayer: parent.writeLayer)
    }
    node.isPinned = true
    nodes.hold(node)
    parent.hasPinnedChildren = true
    pinnedNodes.append(node)
    return node
  }

  /// Gives every pinned directory its parts anew; parents come before their children.
  private func composePinned() {
    for node in [root] + pinnedNodes {
      if let share = node.mounted.filter(\.isShare).min(by: { $0.rank < $1.rank }) {
        node.parts = [DirectoryPart(layer: share, descriptor: share.root)]
        node.writeLayer = share.isWritable ? share : nil
        node.caching = share.caching
        node.identity = (try? FileIdentity(share, FileCalls.status(share.root.raw))) ?? node.identity
        continue
      }
      var parts = node.mounted.map { DirectoryPart(layer: $0, descriptor: $0.root) }
      node.writeLayer = node.mounted.filter(\.isWritable).min { $0.rank < $1.rank } ?? node.parent?.writeLayer
      if let parent = node.parent { parts += foundParts(parent, node.name) }
      node.parts = parts.sorted { $0.layer.rank < $1.layer.rank }
      // A share takes no copies: what is not its own alone cannot be changed.
      if let share = node.writeLayer, share.isShare, node.parts.count != 1 || node.parts[0].layer !== share {
        node.writeLayer = nil
      }
      if let top = node.topPart, let status = try? topStatus(node) {
        node.identity = FileIdentity(top.layer, status)
      }
    }
  }

  /// What the layers have of a directory.
  private func foundParts(_ parent: Node, _ name: [UInt8]) -> [DirectoryPart] {
    var status = FileStatus()
    guard let found = try? resolve(parent, name.span, &status).found(), status.isDirectory, !found.isMountPoint else {
      return []
    }
    return ([found.layer] + found.lower).map { DirectoryPart(layer: $0) }
  }

  /// The names of pinned directories in a directory, which may be in no layer.
  func pinnedNames(_ node: Node) -> [[UInt8]] {
    guard node.hasPinnedChildren else { return [] }
    return pinnedNodes.filter { $0.parent === node }.map(\.name)
  }

  private func topStatus(_ node: Node) throws(Errno) -> FileStatus {
    let place = try place(of: node)
    return try FileCalls.status(place.base.raw, place.name.span)
  }

  /// Gives the root of a fresh, empty write map the owner, mode and attributes of the directory that it comes to lie over,
  /// so that the guest's `/` or `/tmp` is what it was.
  private func adoptAttributes(_ node: Node) {
    guard let upper = node.mounted.filter(\.isWriteMap).min(by: { $0.rank < $1.rank }), node.topPart?.layer === upper,
      DirectoryReader.isEmpty(upper.root)
    else { return }
    guard node.parts.count > 1 else { return belongToRoot(upper) }
    guard let below = try? descriptor(of: node, node.parts[1]), var status = try? FileCalls.status(below.raw),
      let host = try? FileCalls.status(upper.root.raw)
    else { return }
    let (source, target) = (
      Place(base: below, name: FileCalls.itself), Place(base: upper.root, name: FileCalls.itself)
    )
    let layer = node.parts[1].layer
    decodeOwner(&status, source, in: layer)
    copyAttributes(source, from: layer, to: target, in: upper)
    try? setOwner(target, host: host, wanted: OverrideStat(status), in: upper)
  }

  /// Where there is nothing that it comes to lie over, a directory of nobody's is the guest's root's.
  private func belongToRoot(_ layer: Layer) {
    guard ownership == .real, !users.ranges.isEmpty || !groups.ranges.isEmpty,
      let host = try? FileCalls.status(layer.root.raw)
    else { return }
    var wanted = OverrideStat(host)
    (wanted.uid, wanted.gid) = (users.guest(host.uid), groups.guest(host.gid))
    guard wanted.uid == IDMap.overflow || wanted.gid == IDMap.overflow else { return }
    if wanted.uid == IDMap.overflow { wanted.uid = 0 }
    if wanted.gid == IDMap.overflow { wanted.gid = 0 }
    try? setOwner(Place(base: layer.root, name: FileCalls.itself), host: host, wanted: wanted, in: layer)
  }

  private func hide(_ path: Path) throws(TreeError) {
    let (directory, name) = try LayeredTree.divide(path)
    let node = try walk(directory)
    node.hidden = node.hidden + [name]
  }

  // MARK: Descriptors

  /// Where a file is: a name in an open directory, or an open file and the empty name.
  struct Place {
    let base: SharedDescriptor
    let name: [UInt8]
  }

  /// Where to find a node. The namespace lock is held.
  func place(of node: Node) throws(Errno) -> Place {
    let place = try namedPlace(of: node)
    if node.unseen != nil { try recognize(node, place) }
    return place
  }

  private func namedPlace(of node: Node) throws(Errno) -> Place {
    if let anonymous = node.anonymous { return Place(base: anonymous, name: FileCalls.itself) }
    if node.isDirectory {
      guard let top = node.topPart else { throw .stale }
      // In a share the host may have moved it: then it is asked for by name.
      if node.caching == .always || node.isPinned, let open = cache.find(top) {
        return Place(base: open, name: FileCalls.itself)
      }
      guard let parent = node.parent else { throw .stale }
      return Place(base: try descriptor(of: parent, in: top.layer), name: node.name)
    }
    guard let layer = node.layer, let parent = node.parent else { throw .stale }
    if let file = layer.file { return Place(base: layer.root, name: file.name) }
    return Place(base: try descriptor(of: parent, in: layer), name: node.name)
  }

  /// A directory's part in one layer, opened. The namespace lock is held.
  func descriptor(of node: Node, in layer: Layer) throws(Errno) -> SharedDescriptor {
    guard let part = node.part(in: layer) else { throw .stale }
    return try descriptor(of: node, part)
  }

  func descriptor(of node: Node, _ part: DirectoryPart) throws(Errno) -> SharedDescriptor {
    if let open = cache.find(part) { return open }
    // Up to the nearest open directory of this layer, which its root is, and down again.
    var closed = [(node, part)]
    var open: SharedDescriptor?
    while open == nil {
      guard let parent = closed[closed.count - 1].0.parent, let part = parent.part(in: part.layer) else { throw .stale }
      open = cache.find(part)
      if open == nil { closed.append((parent, part)) }
    }
    var current = open!
    for (node, part) in closed.reversed() {
      do throws(Errno) {
        let opened = SharedDescriptor(try FileCalls.openBeneath(current.raw, node.name.span, OpenFlags.directoryPath))
        if part.isUnseen { try recognize(part, of: node, opened, in: current) }
        current = opened
      } catch {
        // It was there when the guest looked it up: something on the host took it away.
        if error == .notFound || error == .notDirectory || error == .tooManySymlinks { throw .stale }
        throw error
      }
      cache.add(part, current)
    }
    return current
  }

  /// What a node stands for, by a descriptor of its own: who else writes its directory cannot have something else changed in its
  /// place. Good for all but data, unless the file is open. The namespace lock is held.
  ///
  /// - Throws: `stale` when the host has something else under its name.
  func pinned(_ node: Node) throws(Errno) -> Place {
    if node.anonymous == nil, let open = files.find(node, forWriting: false) {
      return Place(base: open, name: FileCalls.itself)
    }
    var place = try place(of: node)
    if place.name.count > 1 {
      do throws(Errno) {
        place = Place(
          base: SharedDescriptor(try FileCalls.openBeneath(place.base.raw, place.name.span, OpenFlags.path)),
          name: FileCalls.itself)
      } catch {
        throw error == .notFound ? .stale : error
      }
    }
    if node.anonymous == nil {
      let status = try FileCalls.status(place.base.raw)
      guard status.device == node.identity.device, status.inode == node.identity.inode,
        status.isDirectory == node.isDirectory, status.isSymlink == node.isSymlink
      else { throw .stale }
    }
    return place
  }

  /// Takes `keepReachable` back for a node that kept its name after all.
  func keepNamed(_ node: Node) {
    guard !node.isRemoved else { return }
    node.anonymous = nil
    nodes.dropPin(node)
  }

  /// Keeps a way to a file whose last name is about to go, if the guest still knows the file and descriptors allow. What the guest
  /// says that it has open has a descriptor, of those for open files, and needs no other.
  func keepReachable(_ node: Node) {
    guard node.anonymous == nil, node.aliases.isEmpty else { return }
    guard nodes.takePin(node) else {
      // What has changed since the guest opened it, as by a copy-up, is opened by its next use: which would find no name.
      if files.isMissing(node), let place = try? place(of: node),
        let opened = try? openFile(place, OpenFlags.read, node.identity)
      {
        files.add(node, SharedDescriptor(opened), isWritable: false)
      }
      node.anonymous = files.held(node)
      return
    }
    if let open = files.find(node, forWriting: false) {
      node.anonymous = open
    } else if let place = try? place(of: node) {
      if place.name.count == 1 {
        node.anonymous = place.base
      } else if let opened = try? FileCalls.openBeneath(place.base.raw, place.name.span, OpenFlags.path) {
        node.anonymous = SharedDescriptor(opened)
      }
    }
  }
}
