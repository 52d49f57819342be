import Glibc
import Host
import Packs
import Store

/// A snapshot that is being made, by one process: gone with this value if it is not finished.
package final class NewSnapshot {
  private let store: SnapshotStore
  private let path: String
  private let lock: FileDescriptor
  private var isFinished = false
  /// By the inode number that a file of the machine's had, that of its copy.
  package private(set) var moved: [UInt64: UInt64] = [:]

  init(in store: SnapshotStore, _ path: String) throws(SnapshotError) {
    self.store = store
    self.path = path
    let guardian = try store.lock()
    defer { _ = guardian.raw }
    do throws(Errno) {
      try checked(unsafe mkdir(path, 0o700))
      lock = try FileDescriptor.open(path, OpenFlags.directory)
      try checked(flock(lock.raw, LOCK_EX | LOCK_NB))
    } catch {
      throw .system(path: path, error)
    }
  }

  deinit { if !isFinished { try? TreeRemoval.remove(path) } }

  /// An empty file for memory and devices (`save`, docs/architecture.md, "Control").
  package func makeState() throws(SnapshotError) -> FileDescriptor {
    let file = "\(path)/\(Snapshot.Part.state)"
    do throws(Errno) {
      return try FileDescriptor.open(file, OpenFlags.createExclusively, mode: 0o600)
    } catch {
      throw .system(path: file, error)
    }
  }

  /// Copies what the machine, which stands still, has written.
  ///
  /// - Parameter excluded: as of ``TreeCopy``.
  package func copy(tree: String, excluding excluded: Set<[UInt8]> = []) throws(SnapshotError) {
    let names = "\(path)/names"
    let root = "\(path)/\(Snapshot.Part.tree)"
    do throws(Errno) {
      for made in [names, root] { try checked(unsafe mkdir(made, 0o700)) }
      var copy = TreeCopy(names: try FileDescriptor.open(names, OpenFlags.directory), excluding: excluded)
      try copy.run(
        from: try FileDescriptor.open(tree, OpenFlags.directory),
        to: try FileDescriptor.open(root, OpenFlags.directory))
      moved = copy.moved
      try checked(unsafe rmdir(names))
    } catch {
      throw .system(path: tree, error)
    }
  }

  /// Has the snapshot, of which all is there, on the disk and then under its name.
  package func finish(
    as name: String, _ record: SnapshotRecord, definition: [UInt8], layout: [UInt8]
  ) throws(SnapshotError) -> Snapshot {
    try store.requireFree(name)
    let target = "\(store.directory)/\(name)"
    do throws(PackError) {
      for (part, bytes) in [
        (Snapshot.Part.record, record.json), (Snapshot.Part.definition, definition), (Snapshot.Part.layout, layout),
      ] {
        try Names.write(bytes, to: "\(path)/\(part)")
      }
    } catch {
      throw .files(error)
    }
    let sums = try Snapshot.sums(of: path)
    do throws(PackError) { try Names.write(sums, to: "\(path)/\(Snapshot.Part.sums)") } catch { throw .files(error) }
    do throws(Errno) {
      for part in Snapshot.Part.files + [Snapshot.Part.sums] { try checked(unsafe chmod("\(path)/\(part)", 0o600)) }
      try FileCalls.syncFileSystem(lock.raw)
      let (from, to) = (Array(path.utf8) + [0], Array(target.utf8) + [0])
      try FileCalls.rename(AT_FDCWD, from.span, to: AT_FDCWD, to.span, .noReplace)
      isFinished = true
    } catch {
      if error == .exists { throw .nameTaken(name) }
      throw .system(path: target, error)
    }
    do throws(PackError) { try Names.sync(store.directory) } catch { throw .files(error) }
    return Snapshot(name: name, path: target, record: record)
  }
}
