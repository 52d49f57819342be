import Host

/// A host directory that shows at a place of the guest's tree; or a single file of a directory.
package struct LayerMap: Equatable, Sendable {
  /// Absolute, `/` for the whole tree.
  package var guestPath: Path
  package var hostPath: Path
  /// Where it is opened, if not there.
  package var place: Path?
  /// For reading only: a pack, which never changes, whose files keep owners as a write map without root does, and share
  /// their inodes for no other reason than to be stored once.
  package var isPack: Bool
  /// What the guest's root may make real on the host though others can come to the directory.
  package var privileges: Privileges
  /// How much may be in it; write maps only.
  package var limit: WriteLimit?

  package init(guestPath: Path, hostPath: Path, isPack: Bool = false, privileges: Privileges = []) {
    self.guestPath = guestPath
    self.hostPath = hostPath
    self.isPack = isPack
    self.privileges = privileges
  }

  package init(guestPath: String, hostPath: String, isPack: Bool = false, privileges: Privileges = []) {
    self.init(guestPath: Path(guestPath), hostPath: Path(hostPath), isPack: isPack, privileges: privileges)
  }
}

/// An opened map. Layers are ranked: what a lower rank number has hides what a higher one has.
final class Layer {
  let rank: Int
  let map: LayerMap
  /// Of a single file, what it is found in: its directory, or where there is no name to find it by the file itself.
  let root: SharedDescriptor
  let kind: Kind
  /// Of a single file.
  let file: SingleFile?
  /// For what is made before it appears at its place; write maps only.
  let work: WorkDirectory?
  /// What is in it, if that has a limit; counted once the tree is composed.
  private(set) var allowance: WriteAllowance?
  /// Whether users of the host other than root can come to it.
  private(set) var isOpenToOthers = true
  /// The device of the root, and its inode there.
  let device: UInt64
  private let inode: UInt64
  /// Whiteouts are symlinks there.
  private let isOnOverlayfs: Bool
  private let lock = Lock()
  /// For each other device met beneath the root: whether it is no store of files but a view into the host's kernel.
  private var views: [UInt64: Bool] = [:]

  enum Kind: Equatable {
    case read
    case pack
    case write
    case share(Caching, isReadOnly: Bool)

    var isWritableShare: Bool {
      if case .share(_, isReadOnly: false) = self { true } else { false }
    }
  }

  /// A layer of one file.
  struct SingleFile {
    /// With its NUL, as all names here.
    let guestName: [UInt8]
    /// In the layer's root; the empty name for the root itself.
    let name: [UInt8]
  }

  init(
    rank: Int, map: LayerMap, root: SharedDescriptor, kind: Kind, file: SingleFile? = nil
  ) throws(Errno) {
    self.rank = rank
    self.file = file
    self.map = map
    self.root = root
    self.kind = kind
    let status = try FileCalls.status(root.raw)
    (device, inode) = (status.device, status.inode)
    isOnOverlayfs = FileCalls.isOverlayfs(root.raw)
    work = kind == .write ? WorkDirectory(layerRoot: root) : nil
  }

  /// Counts what is in a write map that has a limit.
  func count() throws(Errno) {
    if kind == .write, let limit = map.limit { allowance = try WriteAllowance(limit, root: root.raw) }
  }

  var isRead: Bool { kind == .read || kind == .pack }
  var isPack: Bool { kind == .pack }
  var isWriteMap: Bool { kind == .write }
  var isShare: Bool { !isRead && !isWriteMap }

  /// Finds out who can come to it, before anything in it changes.
  ///
  /// - Parameter layers: all of the tree. What lies in one that the guest can change is closed to nobody by modes in there.
  func findWhoComes(besides layers: [Layer]) {
    guard isWritable else { return }
    let isChanging = { (above: FileStatus) in
      layers.contains { $0.isWritable && $0.device == above.device && $0.inode == above.inode }
    }
    // A mount of its own leads nowhere further up, so its directory is looked at by its name.
    if map.place != nil, let named = try? FileDescriptor.open(map.hostPath, OpenFlags.directoryPath),
      let status = try? FileCalls.status(named.raw), status.device == device, status.inode == inode
    {
      isOpenToOthers = FileCalls.isOpenToOthers(named.raw, isChanging: isChanging)
    } else {
      isOpenToOthers = FileCalls.isOpenToOthers(root.raw, isChanging: isChanging)
    }
  }

  /// What root's guest makes in it that is real on the host.
  var privileges: Privileges { isOpenToOthers ? map.privileges : .all }

  /// Where changes may go.
  var isWritable: Bool {
    switch kind {
    case .read, .pack: false
    case .write: true
    case .share(_, let isReadOnly): !isReadOnly
    }
  }

  var caching: Caching {
    if case .share(let caching, _) = kind { caching } else { .always }
  }

  /// Whether whiteouts and opaque directories mean something in it. Only write maps have such made by us, but they are read in
  /// read layers too.
  var hasMarks: Bool { !isShare }

  /// Whether an entry of this type, as getdents64 has it, may be a whiteout.
  func mayBeWhiteout(_ type: UInt8) -> Bool {
    switch type {
    case DirectoryReader.typeCharacterDevice, DirectoryReader.typeUnknown: hasMarks
    case DirectoryReader.typeSymlink: hasMarks && isOnOverlayfs
    default: false
    }
  }

  /// Whether something found in the layer belongs to proc, sysfs or their like, mounted beneath it.
  ///
  /// Their files are regular ones to look at, but reading them reads the host's kernel and processes (`/proc/PID/mem`), so a
  /// layer does not show them, unless its root itself is such a file system.
  func isKernelView(_ status: FileStatus, _ base: SharedDescriptor, _ name: Span<UInt8>) -> Bool {
    if status.device == device { return false }
    if let known = lock.withLock({ views[status.device] }) { return known }
    guard let opened = try? FileCalls.openBeneath(base.raw, name, OpenFlags.path),
      let there = try? FileCalls.status(opened.raw), there.device == status.device,
      let fileSystem = try? FileCalls.fileSystem(opened.raw)
    else { return true }
    let isView = Layer.kernelViews.contains(UInt32(truncatingIfNeeded: fileSystem.f_type))
    lock.withLock { views[status.device] = isView }
    return isView
  }

  /// Magic numbers (linux/magic.h): proc, sysfs, debugfs, tracefs, cgroup, cgroup2, securityfs, bpf, configfs, efivarfs, pstore,
  /// mqueue, binfmt_misc, selinuxfs, smackfs, devpts, nsfs, resctrl, fusectl, rpc_pipefs, nfsd.
  private static let kernelViews: Set<UInt32> = [
    0x9fa0, 0x6265_6572, 0x6462_6720, 0x7472_6163, 0x0027_e0eb, 0x6367_7270, 0x7363_6673, 0xcafe_4a11, 0x6265_6570,
    0xde5e_81e4, 0x6165_676c, 0x1980_0202, 0x4249_4e4d, 0xf97c_ff8c, 0x4341_5d53, 0x1cd1, 0x6e73_6673, 0x0765_5821,
    0x6573_5543, 0x6759_6969, 0x6e66_7364,
  ]
}
