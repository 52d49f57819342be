import CLinux
import Glibc
import Host

/// A pack that is being made, in a directory of its own that nobody else touches:
///
///     PACKS/new/ID/          locked (flock(2)) for as long as somebody works on it
///     PACKS/new/ID/files/N   contents, under numbers: no name of an archive's is a name here
///     PACKS/new/ID/objects/  files with their owner, mode, time and attributes, for the pool to take in
///     PACKS/new/ID/pack/     the pack: its tree and manifest
package final class PackBuilder {
  /// A file's content in the store.
  package struct Content: Equatable, Sendable {
    package var size: UInt64
    package var digest: Digest

    package init(size: UInt64, digest: Digest) {
      self.size = size
      self.digest = digest
    }
  }

  /// Where content is until files are made of it.
  private struct Staged {
    var path: String
    /// It is an object of the pool's, and stays as it is.
    var isShared: Bool
  }

  let path: String
  package let limits: PackLimits
  package var entries: [PackEntry] = []
  package private(set) var bytes: UInt64 = 0
  private let lock: FileDescriptor
  private let pool: ObjectPool
  private var staged: [Digest: Staged] = [:]
  private var serial = 0
  /// Objects of the pool whose content was taken from there, and which others may have let go of since.
  private(set) var borrowed: Set<String> = []
  /// The objects that were made here.
  private var fresh: [String: (size: UInt64, modified: FileTime)] = [:]

  /// - Parameters:
  ///   - path: a directory that was just made, with the store's lock held.
  init(path: String, pool: ObjectPool, limits: PackLimits) throws(PackError) {
    self.path = path
    self.pool = pool
    self.limits = limits
    lock = try Names.directory(path)
    guard flock(lock.raw, LOCK_EX | LOCK_NB) == 0 else { throw .system(.lock, path, .current) }
    for name in ["files", "objects", "pack", "pack/tree"] { try Names.makeDirectories("\(path)/\(name)") }
  }

  // MARK: Content

  /// Takes in a file's content.
  ///
  /// - Parameters:
  ///   - name: for errors.
  ///   - read: fills the buffer, from its start; 0 at the end.
  package func add(
    source: [UInt8], _ name: [UInt8], _ read: (inout [UInt8]) throws(PackError) -> Int
  ) throws(PackError) -> Content {
    var hash = SHA256()
    var buffer = [UInt8](repeating: 0, count: FileData.blockSize)
    let count = try fill(&buffer, read)
    try take(count, source, name)
    hash.update(buffer, count: count)
    if count < buffer.count {
      // Small enough to know it before anything is written.
      let content = Content(size: UInt64(count), digest: hash.digest())
      if isKnown(content) { return content }
      let file = nextPath()
      try write(file) { (descriptor) throws(Errno) in
        try FileData.write(buffer, count, to: descriptor, at: 0)
        try FileCalls.truncate(descriptor, to: UInt64(count))
      }
      staged[content.digest] = Staged(path: file, isShared: false)
      return content
    }
    let file = nextPath()
    let descriptor = try create(file)
    var offset: UInt64 = 0
    var filled = count
    while filled > 0 {
      do throws(Errno) {
        try FileData.write(buffer, filled, to: descriptor.raw, at: offset)
      } catch {
        throw .system(.write, file, error)
      }
      offset += UInt64(filled)
      filled = try fill(&buffer, read)
      try take(filled, source, name)
      hash.update(buffer, count: filled)
    }
    do throws(Errno) {
      try FileCalls.truncate(descriptor.raw, to: offset)
    } catch {
      throw .system(.write, file, error)
    }
    let content = Content(size: offset, digest: hash.digest())
    if isKnown(content) {
      _ = unsafe unlink(file)
    } else {
      staged[content.digest] = Staged(path: file, isShared: false)
    }
    return content
  }

  /// Takes in an open file, sharing its extents where the file system can.
  ///
  /// - Parameter source: what the limits name.
  package func add(file: Int32, length: UInt64, source: [UInt8], _ name: [UInt8]) throws(PackError) -> Content {
    if length >= FileData.blockSize {
      let path = nextPath()
      let copy = try create(path)
      if (try? FileCalls.clone(file, to: copy.raw)) != nil { return try adopt(copy.raw, path, source, name) }
      _ = unsafe unlink(path)
    }
    return try add(source: source, name) { (buffer) throws(PackError) in try self.read(file, into: &buffer, name) }
  }

  /// Takes in a clone: what is hashed is what is kept, whatever is written to the original meanwhile.
  private func adopt(_ clone: Int32, _ path: String, _ source: [UInt8], _ name: [UInt8]) throws(PackError) -> Content {
    var hash = SHA256()
    var buffer = [UInt8](repeating: 0, count: FileData.blockSize)
    var content = Content(size: 0, digest: hash.digest())
    while true {
      let count = try read(clone, into: &buffer, name)
      if count == 0 { break }
      hash.update(buffer, count: count)
      content.size += UInt64(count)
      try take(count, source, name)
    }
    content.digest = hash.digest()
    if isKnown(content) {
      _ = unsafe unlink(path)
    } else {
      staged[content.digest] = Staged(path: path, isShared: false)
    }
    return content
  }

  private func read(_ file: Int32, into buffer: inout [UInt8], _ name: [UInt8]) throws(PackError) -> Int {
    do throws(Errno) {
      let count = unsafe buffer.withUnsafeMutableBytes { unsafe Glibc.read(file, $0.baseAddress, $0.count) }
      return try checked(count)
    } catch {
      throw .system(operation: .read, path: name, error)
    }
  }

  private func fill(
    _ buffer: inout [UInt8], _ read: (inout [UInt8]) throws(PackError) -> Int
  ) throws(PackError) -> Int {
    let first = try read(&buffer)
    if first == 0 || first == buffer.count { return first }
    // Short reads are not the end.
    var filled = first
    while filled < buffer.count {
      var rest = [UInt8](repeating: 0, count: buffer.count - filled)
      let count = try read(&rest)
      if count == 0 { break }
      buffer.replaceSubrange(filled..<(filled + count), with: rest[..<count])
      filled += count
    }
    return filled
  }

  private func take(_ count: Int, _ source: [UInt8], _ name: [UInt8]) throws(PackError) {
    bytes += UInt64(count)
    if bytes > limits.bytes { throw .limit(source: source, path: name, .bytes(limits.bytes)) }
  }

  /// Whether the content is here, or in the pool.
  private func isKnown(_ content: Content) -> Bool {
    if staged[content.digest] != nil { return true }
    for name in pool.candidates(content.digest) {
      // A link of our own, so that it stays whoever removes which pack meanwhile.
      let file = nextPath()
      guard unsafe link(pool.path(name), file) == 0 else { continue }
      let path = Array(file.utf8) + [0]
      if let status = try? FileCalls.status(AT_FDCWD, path.span), status.length == content.size {
        staged[content.digest] = Staged(path: file, isShared: true)
        borrowed.insert(name)
        return true
      }
      _ = unsafe unlink(file)
    }
    return false
  }

  private func nextPath() -> String {
    serial += 1
    return "\(path)/files/\(serial)"
  }

  private func create(_ file: String) throws(PackError) -> FileDescriptor {
    do throws(Errno) {
      return try FileDescriptor.open(file, O_RDWR | O_CREAT | O_EXCL, mode: 0o600)
    } catch {
      throw .system(.create, file, error)
    }
  }

  private func write(_ file: String, _ body: (Int32) throws(Errno) -> Void) throws(PackError) {
    let descriptor = try create(file)
    do throws(Errno) {
      try body(descriptor.raw)
    } catch {
      throw .system(.write, file, error)
    }
  }

  // MARK: The tree

  /// Makes the tree and the manifest, and waits until they are on the disk.
  func finish() throws(PackError) -> Manifest {
    let manifest = Manifest(sorting: entries)
    let writer = TreeWriter(root: try Names.directory("\(path)/pack/tree"), builder: self)
    try writer.write(manifest)
    try Names.write(manifest.encoded, to: "\(path)/pack/manifest")
    do throws(Errno) {
      try FileCalls.syncFileSystem(lock.raw)
    } catch {
      throw .system(.write, path, error)
    }
    return manifest
  }

  /// Gives a file of the tree its name.
  func place(
    _ entry: PackEntry, _ content: Content, in directory: Int32, _ name: [UInt8]
  ) throws(PackError) {
    let object = ObjectPool.name(content.digest, entry)
    if fresh[object] == nil {
      if pool.link(object, size: content.size, modified: entry.modified, to: directory, name) { return }
      try make(object, entry, content)
      fresh[object] = (content.size, entry.modified)
    }
    let path = Array("\(self.path)/objects/\(object)".utf8) + [0]
    do throws(Errno) {
      do throws(Errno) {
        try FileCalls.link(AT_FDCWD, path.span, to: directory, name.span)
      } catch {
        guard error == .tooManyLinks else { throw error }
        // The next ones are links to another file like it.
        let copy = "\(self.path)/objects/\(object).\(Names.random())"
        let from = try FileDescriptor.open("\(self.path)/objects/\(object)", O_RDONLY)
        let to = try FileDescriptor.open(copy, O_RDWR | O_CREAT | O_EXCL, mode: 0o600)
        try FileData.copy(from.raw, to: to.raw, length: content.size)
        try TreeMetadata.apply(entry, to: to.raw, FileCalls.itself, type: FileType.regular)
        let copied = Array(copy.utf8) + [0]
        try FileCalls.rename(AT_FDCWD, copied.span, to: AT_FDCWD, path.span)
        try FileCalls.link(AT_FDCWD, path.span, to: directory, name.span)
      }
    } catch {
      throw .system(operation: .create, path: entry.path, error)
    }
  }

  private func make(_ object: String, _ entry: PackEntry, _ content: Content) throws(PackError) {
    guard let source = staged[content.digest] else { throw .system(.open, path, .notFound) }
    let file = "\(path)/objects/\(object)"
    do throws(Errno) {
      if source.isShared || source.path.hasPrefix("\(path)/objects/") {
        let from = try FileDescriptor.open(source.path, O_RDONLY)
        let to = try FileDescriptor.open(file, O_RDWR | O_CREAT | O_EXCL, mode: 0o600)
        try FileData.copy(from.raw, to: to.raw, length: content.size)
      } else {
        try checked(unsafe Glibc.rename(source.path, file))
        staged[content.digest] = Staged(path: file, isShared: false)
      }
      let made = try FileDescriptor.open(file, O_RDONLY)
      try TreeMetadata.apply(entry, to: made.raw, FileCalls.itself, type: FileType.regular)
    } catch {
      throw TreeMetadata.failure(error, .write, entry.path, store: path)
    }
  }

  /// Lets the pool have what is new, with the store's lock held.
  func fillPool() throws(PackError) {
    for (name, file) in fresh {
      try pool.add(name, from: "\(path)/objects/\(name)", size: file.size, modified: file.modified)
    }
  }
}
