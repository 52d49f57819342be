import Host
import Synchronization

/// A file, directory or other object that the guest knows by an id.
///
/// Counts are guarded by the node table's lock. `parts`, `mounted` and `hidden` are only ever replaced: read by every lookup,
/// they need no check then, at each reading, that nobody is about to change them in place. Everything about its place (`parent`, `name`, `aliases`, `parts`,
/// `layer`, `anonymous`, marks) changes only with the tree's namespace lock held for writing.
final class Node {
  /// A further name of a file with hard links.
  struct Alias {
    let parent: Node
    let name: [UInt8]
  }

  /// What the guest calls it; never given out twice while the server runs.
  let id: UInt64
  /// Lookups that the guest has not given back.
  var lookups: UInt64 = 0
  /// Children in the table, and one for ever where a layer is mounted.
  var holds = 0
  var isInTable = true
  /// Whether `anonymous` counts against the table's limit of such descriptors.
  var hasPin = false

  /// Type bits of the mode.
  let type: UInt32
  /// The guest's inode number: it stays through copy-up.
  var inode: UInt64
  /// How long what the guest sees of it stays true. Set before the node is given out.
  var caching: Caching
  /// How many ranges of the window show it. Guarded by the lock of `MappedRanges`.
  var mappedCount = 0
  /// Whether the guest may be told to map it: what was in a read layer when it was first seen.
  var isMappable = false

  /// Where it is; nil for the root, and for files without a name.
  var parent: Node?
  /// With its NUL; `[0]` when there is none.
  var name: [UInt8]
  var aliases: [Alias] = []

  /// The topmost object on the host, to notice when something else took its place.
  var identity: FileIdentity
  /// The lower object that it was copied up from, under which other names of it are still found.
  var origin: FileIdentity?
  /// How many names the lower object had when it was copied up, without those that the guest has removed.
  var lowerLinks: UInt32 = 0
  /// Names of a copied-up file that are not in the write map, added to the count of its links.
  var linkAdjustment: Int32 = 0

  /// A directory's pieces in the layers, topmost first; none for one that exists only because a layer is mounted below.
  var parts: [DirectoryPart] = []
  /// The layer that has it, for what is no directory.
  var layer: Layer?
  /// The write map that changes go to, if there is one.
  var writeLayer: Layer?
  /// A directory's time of change as the guest knows it, until something but a copy-up changes the directory.
  var keptChange: KeptChange?
  /// The layers whose root this directory is.
  var mounted: [Layer] = []
  /// The layers of single files that are in this directory, in order of rank. Replaced only before anybody serves the tree.
  var files: [Layer] = []

  /// A layer's root, a shared file, or on the way to one: never removed or renamed.
  var isPinned = false
  /// A directory with pinned children, which may exist in no layer.
  var hasPinnedChildren = false
  /// Names of this directory that the read layers do not show.
  var hidden: [[UInt8]] = []

  private let sealed = Atomic(false)
  /// Whether there may be a seal that a write would break (`FileCalls.setSeal`).
  var mayBeSealed: Bool { sealed.load(ordering: .relaxed) }
  func maySeal() { sealed.store(true, ordering: .relaxed) }

  private let moment = Atomic<UInt16>(0)
  /// The state in which it was, of those that the tree has from before each other, as long as nobody has looked at it since.
  var unseen: Int? {
    let moment = moment.load(ordering: .relaxed)
    return moment == 0 ? nil : Int(moment) - 1
  }
  func isRestored(at moment: Int) { self.moment.store(UInt16(moment) + 1, ordering: .relaxed) }
  func wasSeen() { moment.store(0, ordering: .relaxed) }

  /// What it takes of what its write map may hold, once that was looked at. Guarded by the lock of `WriteAllowance`.
  var allotment: Allotment?

  /// No name leads to it any more.
  var isRemoved = false
  /// How to reach it without a name.
  var anonymous: SharedDescriptor?

  /// The file's descriptor while it is cached, and how often the guest says that it has it open. Guarded by the file cache's
  /// lock.
  struct OpenFile {
    let descriptor: SharedDescriptor
    let isWritable: Bool
    /// Where the cache keeps it.
    let slot: Int
    /// Since the cache last looked.
    var wasUsed = false

    init(descriptor: SharedDescriptor, isWritable: Bool, slot: Int) {
      self.descriptor = descriptor
      self.isWritable = isWritable
      self.slot = slot
    }
  }
  var openFile: OpenFile?
  var opens = 0

  init(
    id: UInt64, type: UInt32, inode: UInt64, parent: Node?, name: [UInt8], identity: FileIdentity, writeLayer: Layer?,
    caching: Caching = .always
  ) {
    self.id = id
    self.type = type
    self.inode = inode
    self.parent = parent
    self.name = name
    self.identity = identity
    self.writeLayer = writeLayer
    self.caching = caching
  }

  /// What a copy-up did to a directory's time of change, which cannot be set back. Apart, since few nodes have one.
  final class KeptChange {
    /// As the host has it since, with the time of modification, which did not change.
    let host: FileTime
    let modified: FileTime
    let shown: FileTime

    init(_ status: FileStatus, shown: FileTime) {
      host = status.changed
      modified = status.modified
      self.shown = shown
    }

    init(host: FileTime, modified: FileTime, shown: FileTime) {
      self.host = host
      self.modified = modified
      self.shown = shown
    }
  }

  /// Apart, since few nodes have one.
  final class Allotment {
    /// In bytes.
    var size: UInt64
    /// No name is left, on the host either: what it takes is free once the guest lets it go.
    var isLastUse = false

    init(_ size: UInt64) { self.size = size }
  }

  /// The time of change that the guest sees where the host says `status`.
  func shownChange(_ status: FileStatus) -> FileTime {
    guard let keptChange, keptChange.host == status.changed, keptChange.modified == status.modified else {
      return status.changed
    }
    return keptChange.shown
  }

  /// DT_* as in readdir(3).
  var listedType: UInt8 { UInt8(truncatingIfNeeded: type >> 12) }

  var isDirectory: Bool { type == FileType.directory }
  var isRegular: Bool { type == FileType.regular }
  var isSymlink: Bool { type == FileType.symlink }

  /// Whether it is where it can be changed.
  var isUpper: Bool {
    guard let writeLayer else { return false }
    return isDirectory ? part(in: writeLayer) != nil : layer === writeLayer
  }

  func part(in layer: Layer) -> DirectoryPart? {
    for part in parts where part.layer === layer { return part }
    return nil
  }

  /// The layer that has what the guest sees of it.
  var topLayer: Layer? { isDirectory ? topPart?.layer : layer }

  /// The topmost part of a directory.
  var topPart: DirectoryPart? { parts.first }

  /// A directory of no layer, there only because one is mounted below.
  var isSynthetic: Bool { isDirectory && parts.isEmpty && !isRemoved }

  /// The topmost layer of a single file that has this name here.
  func file(_ name: Span<UInt8>) -> Layer? {
    for layer in files where layer.file!.guestName.equals(name) { return layer }
    return nil
  }

  /// Of a share of a single file: it stands for its name on the host, whatever file that is.
  var isSharedFile: Bool { isPinned && !isDirectory }

  func hides(_ name: Span<UInt8>) -> Bool {
    for each in hidden where each.equals(name) { return true }
    return false
  }

  func isNamed(_ parent: Node, _ name: Span<UInt8>) -> Bool {
    if self.parent === parent, self.name.equals(name) { return true }
    for alias in aliases where alias.parent === parent && alias.name.equals(name) { return true }
    return false
  }
}

/// One directory of one layer, as part of a merged directory.
final class DirectoryPart {
  let layer: Layer
  /// Cached, or nil. Guarded by the descriptor cache's lock.
  var descriptor: SharedDescriptor?
  /// Whether the descriptor was used since the cache last looked.
  var wasUsed = false
  /// Of the topmost of many packs: which of them have which names. Guarded by the lock of `PartIndices`.
  var index: PartIndex?
  /// How often packs were asked in vain while there was none.
  var misses = 0
  private let partials = Atomic(Partials.unknown)
  private let unseen: Atomic<Bool>
  /// It is of a state, and nobody has looked at it since.
  var isUnseen: Bool { unseen.load(ordering: .relaxed) }
  func wasSeen() { unseen.store(false, ordering: .relaxed) }

  init(layer: Layer, descriptor: SharedDescriptor? = nil) {
    self.layer = layer
    self.descriptor = descriptor
    unseen = Atomic(false)
  }

  init(restoredOf layer: Layer) {
    self.layer = layer
    unseen = Atomic(true)
  }

  /// Whether there may be something in it of which overlayfs has the rest in a layer below; asked of the host once.
  func mayHavePartial(_ opened: SharedDescriptor) -> Bool {
    let known = partials.load(ordering: .relaxed)
    if known != .unknown { return known == .some }
    let found = FileCalls.mayGoOnBelow(in: opened.raw) ? Partials.some : .none
    partials.store(found, ordering: .relaxed)
    return found == .some
  }

  private enum Partials: UInt8, AtomicRepresentable {
    case unknown
    case none
    case some
  }
}

/// Which object of the host a node stands for. The layer counts: one host directory may be mapped twice.
struct FileIdentity: Hashable {
  var rank: Int
  var device: UInt64
  var inode: UInt64

  init(rank: Int, device: UInt64, inode: UInt64) {
    self.rank = rank
    self.device = device
    self.inode = inode
  }

  init(_ layer: Layer, _ status: FileStatus) {
    self.init(rank: layer.rank, device: status.device, inode: status.inode)
  }
}

extension [UInt8] {
  init(copying bytes: Span<UInt8>) {
    self = []
    reserveCapacity(bytes.count)
    for index in bytes.indices { append(bytes[index]) }
  }

  func equals(_ other: Span<UInt8>) -> Bool {
    guard count == other.count else { return false }
    for index in indices where self[index] != other[index] { return false }
    return true
  }
}
