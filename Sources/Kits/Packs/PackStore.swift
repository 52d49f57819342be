import FoundationEssentials
import Glibc
import Host
import Store

/// The directory of all packs.
///
///     PACKS/.lock            held while names change
///     PACKS/names/NAME       which pack has the name (JSON)
///     PACKS/packs/DIGEST/    a pack: `tree`, `manifest`; locked (shared, flock(2)) by machines that have it
///     PACKS/objects/         files, shared by packs (`ObjectPool`)
///     PACKS/new/ID/          one being made (`PackBuilder`)
///     PACKS/gone/ID/         one being removed
///
/// A pack appears and disappears whole, by a rename, and is named by the digest of its manifest. What a killed command
/// left in `new` or `gone` is nobody's: it is not locked, and the next command finishes with it.
package struct PackStore: Sendable {
  package let directory: String

  package init(directory: String) { self.directory = directory }

  package struct Listing {
    /// By name.
    package var packs: [Pack] = []
    package var damaged: [(name: String, error: PackError)] = []
  }

  package func list() throws(PackError) -> Listing {
    mend()
    var listing = Listing()
    guard Names.exists("\(directory)/names") else { return listing }
    for name in try Names.list("\(directory)/names") where Self.isName(name) {
      do throws(PackError) {
        listing.packs.append(try read(name))
      } catch {
        // Removed since it was listed.
        if case .noSuchPack = error { continue }
        listing.damaged.append((name, error))
      }
    }
    return listing
  }

  package func pack(named name: String) throws(PackError) -> Pack {
    try Self.check(name)
    mend()
    return try read(name)
  }

  /// A pack that stays until the value is gone.
  package func hold(_ name: String) throws(PackError) -> HeldPack {
    try Self.check(name)
    while true {
      let pack = try read(name)
      if let lock = try lock(pack) { return HeldPack(pack, lock) }
    }
  }

  /// - Returns: nil if the pack was replaced or removed since it was found.
  private func lock(_ pack: Pack) throws(PackError) -> FileDescriptor? {
    do throws(Errno) {
      let lock = try FileDescriptor.open(pack.directory, OpenFlags.directory)
      let number = lock.raw
      try retryingInterrupts { flock(number, LOCK_SH) }
      let path = Array(pack.directory.utf8) + [0]
      if try FileCalls.status(AT_FDCWD, path.span).inode == FileCalls.status(number).inode { return lock }
    } catch {
      if error != .notFound { throw .system(.lock, pack.directory, error) }
    }
    if (try? read(pack.name))?.digest == pack.digest, !Names.exists(pack.directory) {
      throw .damagedPack(pack.name, "its files are gone")
    }
    return nil
  }

  package func manifest(of pack: Pack) throws(PackError) -> Manifest {
    let bytes = try Names.read(pack.manifestPath)
    guard Digest.of(bytes) == pack.digest, let manifest = Manifest(decoding: bytes) else {
      throw .damagedPack(pack.name, "its manifest is not what it was")
    }
    return manifest
  }

  /// Makes a pack.
  ///
  /// - Parameters:
  ///   - isLayer: whether it is an image's, which have names of their own.
  ///   - replacing: whether a pack may have the name already, which is then this one's.
  ///   - fill: gives the builder all entries.
  package func create(
    _ name: String, origin: String, replacing: Bool = false, isLayer: Bool = false, limits: PackLimits? = nil,
    _ fill: (PackBuilder) throws(PackError) -> Void
  ) throws(PackError) -> Pack {
    try Self.check(name, isLayer: isLayer)
    for part in ["names", "packs", "objects", "new", "gone"] { try Names.makeDirectories("\(directory)/\(part)") }
    if !replacing, Names.exists(path(of: name)) { throw .nameTaken(name) }
    mend()
    let work = "\(directory)/new/\(Names.random())"
    let builder = try locked { () throws(PackError) in
      try Names.makeDirectories(work)
      return try PackBuilder(
        path: work, pool: pool, limits: limits ?? PackLimits(bytes: room))
    }
    defer {
      if empty(work) {
        let pool = pool
        for name in builder.borrowed { pool.drop(name) }
        // Last: for as long as it is there, a kill leaves something to mend.
        forget(work)
      }
    }
    try fill(builder)
    let manifest = try builder.finish()
    let record = PackRecord(
      digest: Digest.of(manifest.encoded), created: Date(), origin: origin, entries: manifest.entries.count,
      size: manifest.size)
    try locked { () throws(PackError) in
      if Names.exists(path(of: name)) {
        guard replacing else { throw .nameTaken(name) }
        if let old = try? read(name), old.digest == record.digest, Names.exists(old.manifestPath) { return }
      }
      if !Names.exists(path(of: record.digest)) {
        try builder.fillPool()
        try Names.rename("\(work)/pack", path(of: record.digest))
        try Names.sync("\(directory)/packs")
      }
      let old = try? read(name)
      let file = "\(work)/name"
      try Names.write(record.json, to: file)
      try Names.rename(file, path(of: name))
      try Names.sync("\(directory)/names")
      if let old { try replace(old) }
    }
    mend(waits: true)
    return try read(name)
  }

  /// Removes a pack whose name is another's now; one that a machine still has stays, until a command finds it free.
  private func replace(_ old: Pack) throws(PackError) {
    do throws(PackError) {
      try bury(old)
    } catch {
      guard case .inUse = error else { throw error }
      try leaveReminder()
    }
  }

  /// Has the next command look for packs without a name.
  private func leaveReminder() throws(PackError) {
    try Names.makeDirectories("\(directory)/gone/\(Names.random())")
  }

  /// Refuses a name that cannot be a new pack's, before there is work done for it.
  package func requireFree(_ name: String) throws(PackError) {
    try Self.check(name, isLayer: false)
    if Names.exists(path(of: name)) { throw .nameTaken(name) }
  }

  package func remove(_ name: String, isLayer: Bool = false) throws(PackError) {
    try Self.check(name, isLayer: isLayer)
    mend()
    if !Names.exists(path(of: name)) { throw .noSuchPack(name, store: directory) }
    for part in ["packs", "gone"] { try Names.makeDirectories("\(directory)/\(part)") }
    try locked { () throws(PackError) in
      let pack: Pack
      do throws(PackError) {
        pack = try read(name)
      } catch {
        // What cannot be read can be removed.
        guard case .damagedPack = error else { throw error }
        guard unsafe unlink(path(of: name)) == 0 else { throw .system(.remove, path(of: name), .current) }
        return
      }
      try bury(pack)
    }
    mend(waits: true)
  }

  /// Takes a name, and its pack if no other name has it, out of the store; with the store's lock held.
  private func bury(_ pack: Pack) throws(PackError) {
    let isShared = try Names.list("\(directory)/names").contains { other in
      other != pack.name && (try? read(other))?.digest == pack.digest
    }
    let isNamed = (try? read(pack.name))?.digest == pack.digest
    let grave = "\(directory)/gone/\(Names.random())"
    if !isShared, Names.exists(pack.directory) {
      let tree = try Names.directory(pack.directory)
      guard flock(tree.raw, LOCK_EX | LOCK_NB) == 0 else { throw .inUse(pack.name) }
      try Names.makeDirectories(grave)
      try Names.rename(pack.directory, "\(grave)/pack")
      // The lock holds until here.
      _ = tree.raw
    }
    guard isNamed else { return }
    guard unsafe unlink(path(of: pack.name)) == 0 else { throw .system(.remove, path(of: pack.name), .current) }
  }

  // MARK: Mending

  /// Finishes what killed commands began. Fails silently: whoever may not write here can still read.
  ///
  /// - Parameter waits: for another who is at it; else that one does it, or the next.
  package func mend(waits: Bool = false) {
    let left = ["new", "gone"].flatMap { part in
      ((try? Names.list("\(directory)/\(part)")) ?? []).map { "\(directory)/\(part)/\($0)" }
    }
    guard !left.isEmpty,
      let lock = try? FileDescriptor.open("\(directory)/.lock", O_RDWR | O_CREAT, mode: 0o600),
      flock(lock.raw, waits ? LOCK_EX : LOCK_EX | LOCK_NB) == 0
    else { return }
    var isClean = true
    for path in left {
      guard let work = try? FileDescriptor.open(path, OpenFlags.directory) else { continue }
      // Somebody is at work on it.
      if path.hasPrefix("\(directory)/new/"), flock(work.raw, LOCK_EX | LOCK_NB) == 0 {
        try? Names.makeDirectories("\(directory)/gone")
        try? Names.rename(path, "\(directory)/gone/\(Self.killedPrefix)\(Names.random())")
      }
    }
    // A pack may be there whose name was not written, or a name be gone whose pack is not.
    if !((try? Names.list("\(directory)/gone")) ?? []).isEmpty { isClean = dropNameless() }
    let dead = (try? Names.list("\(directory)/gone")) ?? []
    let emptied = dead.filter { empty("\(directory)/gone/\($0)") }
    // The pool may have files of one that was killed which no list tells of; of others the list does.
    if emptied.contains(where: { $0.hasPrefix(Self.killedPrefix) }) { pool.sweep() }
    _ = lock.raw
    for name in emptied { forget("\(directory)/gone/\(name)") }
    if !isClean { try? leaveReminder() }
  }

  /// - Returns: whether none is left.
  private func dropNameless() -> Bool {
    guard let names = try? Names.list("\(directory)/names"), let packs = try? Names.list("\(directory)/packs") else {
      return true
    }
    var isDone = true
    let named = Set(names.compactMap { (try? read($0))?.digest.hexadecimal })
    for digest in packs where !named.contains(digest) {
      guard let record = Digest(digest) else { continue }
      let pack = Pack(
        name: "", record: PackRecord(digest: record, created: Date(), origin: "", entries: 0, size: 0),
        directory: path(of: record))
      if (try? bury(pack)) == nil { isDone = false }
    }
    return isDone
  }

  // What lies in `gone` or `new` is removed in this order: all links to files, then what the pool had only for them, then
  // the list of that.

  /// - Returns: whether all links to files are gone.
  private func empty(_ path: String) -> Bool {
    ["files", "objects", "pack/tree"].allSatisfy { (try? TreeRemoval.remove("\(path)/\($0)")) != nil }
  }

  /// Removes what was emptied, and what the pool has no more use for.
  private func forget(_ path: String) {
    if let bytes = try? Names.read("\(path)/pack/manifest"), let manifest = Manifest(decoding: bytes) {
      let pool = pool
      for entry in manifest.entries {
        guard case .file(_, let digest) = entry.kind else { continue }
        pool.drop(ObjectPool.name(digest, entry))
      }
    }
    try? TreeRemoval.remove(path)
  }

  private static let killedPrefix = "killed-"

  private var pool: ObjectPool { ObjectPool(directory: "\(directory)/objects") }

  // MARK: Paths

  private func read(_ name: String) throws(PackError) -> Pack {
    let bytes: [UInt8]
    do throws(PackError) {
      bytes = try Names.read(path(of: name))
    } catch {
      if case .system(_, _, .notFound) = error { throw .noSuchPack(name, store: directory) }
      throw error
    }
    guard let record = PackRecord(json: bytes) else { throw .damagedPack(name, "its description cannot be read") }
    return Pack(name: name, record: record, directory: path(of: record.digest))
  }

  private func path(of name: String) -> String { "\(directory)/names/\(name)" }
  private func path(of digest: Digest) -> String { "\(directory)/packs/\(digest.hexadecimal)" }

  /// 1 to 64 letters, digits, `.`, `_`, `-` and `:`, the first one a letter or digit.
  package static func isName(_ name: String) -> Bool {
    guard (1...64).contains(name.utf8.count), let first = name.utf8.first, ![0x2e, 0x2d, 0x5f, 0x3a].contains(first)
    else { return false }
    return name.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), 0x2e, 0x2d, 0x5f, 0x3a:
        true
      default: false
      }
    }
  }

  private static func check(_ name: String) throws(PackError) {
    if !isName(name) { throw .invalidName(name) }
  }

  private static func check(_ name: String, isLayer: Bool) throws(PackError) {
    try check(name)
    if name.hasPrefix(layerPrefix) != isLayer { throw .layerName(name) }
  }

  /// Of the names that images give their layers, and nobody else gives.
  package static let layerPrefix = "layer:"

  /// What a pack may have: not more than the disk has room for, however little it would write.
  package var room: UInt64 {
    var status = statvfs()
    guard unsafe statvfs(directory, &status) == 0 else { return 1 << 40 }
    return UInt64(status.f_bavail) &* UInt64(status.f_frsize)
  }

  /// A file without a name, on the store's disk.
  package func temporaryFile() throws(PackError) -> FileDescriptor {
    try Names.makeDirectories(directory)
    do throws(Errno) {
      return try FileDescriptor.open(directory, OpenFlags.temporary, mode: 0o600)
    } catch {
      throw .system(.create, directory, error)
    }
  }

  private func locked<Result: ~Copyable>(
    _ body: () throws(PackError) -> Result
  ) throws(PackError) -> Result {
    let lock = try lockFile()
    let result = try body()
    // Until here.
    _ = lock.raw
    return result
  }

  private func lockFile() throws(PackError) -> FileDescriptor {
    let path = "\(directory)/.lock"
    do throws(Errno) {
      return try FileDescriptor.lockFile(path, LOCK_EX)
    } catch {
      throw .system(.lock, path, error)
    }
  }
}
