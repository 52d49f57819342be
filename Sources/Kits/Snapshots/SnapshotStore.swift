import Glibc
import Host
import Packs
import Store

/// The directory of all snapshots.
///
///     SNAPSHOTS/.lock        held while one is begun, or those left over are looked for
///     SNAPSHOTS/NAME/snapshot.json, machine.json, layout.json   what it is of
///     SNAPSHOTS/NAME/state   memory and devices
///     SNAPSHOTS/NAME/root    what the machine wrote
///     SNAPSHOTS/NAME/sums    a digest of each of these
///     SNAPSHOTS/.new-ID/     one being made; locked (flock(2)) by whoever makes it
///     SNAPSHOTS/.gone-ID/    one being removed
///
/// They are secrets, their owner's alone: all that a guest had in memory. One appears and disappears whole, by a rename; what a killed
/// command left is not locked, and the next command removes it.
package struct SnapshotStore: Sendable {
  package let directory: String

  package init(directory: String) { self.directory = directory }

  static let newPrefix = ".new-"
  static let gonePrefix = ".gone-"

  /// By name; those that cannot be read are left out.
  package func list() throws(SnapshotError) -> [Snapshot] {
    try removeStale()
    return try names().compactMap { try? read($0) }
  }

  package func find(_ name: String) throws(SnapshotError) -> Snapshot {
    try removeStale()
    return try read(name)
  }

  /// Begins a snapshot, which is there once it is finished.
  package func begin() throws(SnapshotError) -> NewSnapshot {
    do throws(PackError) { try Names.makeDirectories(directory) } catch { throw .files(error) }
    try removeStale()
    return try NewSnapshot(in: self, "\(directory)/\(Self.newPrefix)\(Names.random())")
  }

  /// Refuses a name that cannot be a new snapshot's, before there is work done for it.
  package func requireFree(_ name: String) throws(SnapshotError) {
    guard MachineStore.isName(name) else { throw .name(name) }
    if Names.exists("\(directory)/\(name)") { throw .nameTaken(name) }
  }

  package func remove(_ name: String) throws(SnapshotError) {
    try removeStale()
    // Also one that cannot be read.
    guard MachineStore.isName(name), Names.exists("\(directory)/\(name)") else {
      throw .noSnapshot(name, known: try names())
    }
    let grave = "\(directory)/\(Self.gonePrefix)\(Names.random())"
    do throws(PackError) { try Names.rename("\(directory)/\(name)", grave) } catch { throw .files(error) }
    try removeStale()
  }

  /// The snapshots that need a kernel or a pack, which is to stay as long as they do.
  package func users(kernel: String? = nil, pack: String? = nil) throws(SnapshotError) -> [String] {
    try removeStale()
    // One that cannot be read may need it.
    return try names().map { (name) throws(SnapshotError) in try read(name) }.filter { snapshot in
      snapshot.record.kernel.name == kernel || snapshot.record.packs.contains { $0.name == pack }
    }.map(\.name)
  }

  private func names() throws(SnapshotError) -> [String] {
    guard Names.exists(directory) else { return [] }
    do throws(PackError) { return try Names.list(directory).filter(MachineStore.isName) } catch { throw .files(error) }
  }

  private func read(_ name: String) throws(SnapshotError) -> Snapshot {
    let path = "\(directory)/\(name)"
    guard MachineStore.isName(name), Names.exists(path) else { throw .noSnapshot(name, known: try names()) }
    let bytes: [UInt8]
    do throws(PackError) { bytes = try Names.read("\(path)/\(Snapshot.Part.record)") } catch { throw .files(error) }
    guard let record = SnapshotRecord(bytes) else { throw .damaged(name, part: Snapshot.Part.record) }
    guard record.format <= SnapshotRecord.format else { throw .format(name) }
    return Snapshot(name: name, path: path, record: record)
  }

  func lock() throws(SnapshotError) -> FileDescriptor {
    let path = "\(directory)/.lock"
    do { return try FileDescriptor.lockFile(path, LOCK_EX) } catch { throw .system(path: path, error) }
  }

  /// Removes what killed commands left.
  func removeStale() throws(SnapshotError) {
    guard Names.exists(directory) else { return }
    let left: [String]
    do throws(PackError) {
      left = try Names.list(directory).filter { $0.hasPrefix(Self.newPrefix) || $0.hasPrefix(Self.gonePrefix) }
    } catch {
      throw .files(error)
    }
    if left.isEmpty { return }
    do {
      let guardian = try lock()
      defer { _ = guardian.raw }
      for name in left where name.hasPrefix(Self.newPrefix) {
        let path = "\(directory)/\(name)"
        guard let opened = try? FileDescriptor.open(path, OpenFlags.directory),
          flock(opened.raw, LOCK_EX | LOCK_NB) == 0
        else { continue }
        _ = unsafe Glibc.rename(path, "\(directory)/\(Self.gonePrefix)\(Names.random())")
      }
    }
    // The slow part is done without the lock: two commands may well remove the same together.
    let gone: [String]
    do throws(PackError) { gone = try Names.list(directory) } catch { throw .files(error) }
    for name in gone where name.hasPrefix(Self.gonePrefix) {
      let path = "\(directory)/\(name)"
      do { try DirectoryRemoval.remove(path: Path(path), isForced: true) } catch { throw .system(path: path, error) }
    }
  }
}
