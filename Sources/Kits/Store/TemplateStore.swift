import Glibc
import Host

/// The directory of all templates: states that machines begin with in place of a boot (docs/templates.md).
///
///     TEMPLATES/KEY.TIME   a template; TIME is when its last byte was written, so that one that was changed since is none
///     TEMPLATES/new.KEY    one being made, locked (flock(2)) by who makes it
///     TEMPLATES/log        what the last one that made one had to say
///
/// Each holds what a guest's kernel has in memory, its random numbers too: they are for their owner alone. A key says all that such a
/// guest has learnt of its machine and its host.
package struct TemplateStore: Sendable {
  package let directory: String

  /// How many are kept, and how much they may take together, in bytes; the least recently used ones go.
  package static let countLimit = 4
  package static let sizeLimit: UInt64 = 2 << 30
  /// In seconds: an older one is made anew, so that one placement of the kernel does not serve for ever.
  package static let lifetime: Int64 = 7 * 24 * 3600

  /// In seconds: how long nobody tries to make one after one has failed.
  package static let retryPause: Int64 = 600

  private static let beginning = "new."

  package init(directory: String) { self.directory = directory }

  /// One that is whole.
  package struct Template: Equatable, Sendable {
    package let path: String
    /// Whether it is time to make it anew.
    package let isOld: Bool
  }

  /// Notes that it is used now.
  ///
  /// - Returns: nil if there is none; what is no template any more is removed.
  package func find(_ key: String) -> Template? {
    for name in names() where name.hasPrefix("\(key).") {
      let path = "\(directory)/\(name)"
      guard let file = try? FileDescriptor.open(path, O_RDONLY | O_NOFOLLOW),
        let status = try? FileCalls.status(file.raw), status.isRegular, status.uid == geteuid(),
        status.mode & 0o077 == 0, name == Self.name(key, status)
      else {
        remove(path)
        continue
      }
      try? FileCalls.changeTimes(file.raw, accessed: .now, modified: .keep)
      let age = Int64(time(nil)) - status.modified.seconds
      return Template(path: path, isOld: !(0...Self.lifetime).contains(age))
    }
    return nil
  }

  /// Removes one that a monitor could not begin with.
  package func remove(_ template: Template) { remove(template.path) }

  /// Removes all of them, and what was left behind; also what the last maker had to say, so that the next one may come at once.
  ///
  /// - Parameter runtime: the directory of all sockets.
  /// - Returns: how many there were.
  package func removeAll(runtime: String) -> Int {
    sweep()
    try? Self.sweepWorkshops(in: runtime)
    remove(logPath)
    let found = names().filter(Self.isTemplate)
    for name in found { remove("\(directory)/\(name)") }
    return found.count
  }

  // MARK: Making

  /// A template that is being made: gone with this value unless it is kept.
  package struct Draft: ~Copyable {
    private let store: TemplateStore
    private let key: String
    private let file: FileDescriptor

    fileprivate init(_ store: TemplateStore, _ key: String, _ file: consuming FileDescriptor) {
      self.store = store
      self.key = key
      self.file = file
    }

    deinit {
      let path = "\(store.directory)/\(TemplateStore.beginning)\(key)"
      if TemplateStore.leads(path, to: file) { store.remove(path) }
    }

    /// Empty, to be written.
    package var descriptor: Int32 { file.raw }

    /// Makes it the template of its key.
    package borrowing func keep() throws(StoreError) {
      let path = "\(store.directory)/\(TemplateStore.beginning)\(key)"
      let name: String
      do throws(Errno) {
        // However long it took to make: it is used next.
        try FileCalls.changeTimes(file.raw, accessed: .now, modified: .keep)
        try FileCalls.sync(file.raw, dataOnly: false)
        name = TemplateStore.name(key, try FileCalls.status(file.raw))
      } catch {
        throw .system(operation: .write, path: path, error)
      }
      guard unsafe rename(path, "\(store.directory)/\(name)") == 0 else {
        throw .system(operation: .rename, path: path, .current)
      }
      for other in store.names() where other.hasPrefix("\(key).") && other != name {
        store.remove("\(store.directory)/\(other)")
      }
      store.trim()
    }
  }

  /// Begins to make one.
  ///
  /// - Returns: nil if somebody makes it already.
  package func begin(_ key: String) throws(StoreError) -> Draft? {
    try Directories.make(directory, mode: 0o700)
    try Directories.requirePrivate(directory)
    sweep()
    let path = "\(directory)/\(Self.beginning)\(key)"
    do throws(Errno) {
      let file = try FileDescriptor.lockFile(path, LOCK_EX | LOCK_NB)
      // Who had it has perhaps just given it its name.
      guard Self.leads(path, to: file) else { return nil }
      try FileCalls.truncate(file.raw, to: 0)
      return Draft(self, key, file)
    } catch {
      if error == .wouldBlock { return nil }
      throw .system(operation: .lock, path: path, error)
    }
  }

  /// Makes a directory for sockets and what else its maker needs. Those of makers that were killed go first.
  ///
  /// - Parameter runtime: the directory of all sockets.
  package static func workshop(in runtime: String) throws(StoreError) -> String {
    try Directories.make(runtime, mode: 0o700)
    try sweepWorkshops(in: runtime)
    let place = "\(runtime)/\(workshopBeginning)\(getpid())"
    guard unsafe mkdir(place, 0o700) == 0 else { throw .system(operation: .create, path: place, .current) }
    return place
  }

  private static let workshopBeginning = "template-"

  /// Removes those of makers that were killed.
  private static func sweepWorkshops(in runtime: String) throws(StoreError) {
    try Directories.requirePrivate(runtime)
    for name in try Directories.names(runtime) where name.hasPrefix(workshopBeginning) {
      let maker = Int32(name.dropFirst(workshopBeginning.count)) ?? 0
      // Whoever asks makes none yet: one with its number was another's.
      let isGone = maker <= 0 || maker == getpid() || kill(maker, 0) != 0 && Errno.current != Errno(EPERM)
      if isGone { try TreeRemoval.remove("\(runtime)/\(name)") }
    }
  }

  /// For what its maker has to say.
  package func log() throws(StoreError) -> FileDescriptor {
    try Directories.make(directory, mode: 0o700)
    do {
      return try FileDescriptor.open(logPath, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode: 0o600)
    } catch {
      throw .system(operation: .open, path: logPath, error)
    }
  }

  private var logPath: String { "\(directory)/log" }

  /// Whether the last maker had something to say, which is why it failed, in the last minutes.
  package var hasJustFailed: Bool {
    guard let file = try? FileDescriptor.open(logPath, O_RDONLY | O_NOFOLLOW),
      let status = try? FileCalls.status(file.raw), status.length > 0
    else { return false }
    return (0..<Self.retryPause).contains(Int64(time(nil)) - status.modified.seconds)
  }

  /// Removes what makers left behind that were killed.
  private func sweep() {
    for name in names() where name.hasPrefix(Self.beginning) {
      let path = "\(directory)/\(name)"
      guard let file = try? FileDescriptor.open(path, O_RDWR | O_NOFOLLOW), flock(file.raw, LOCK_EX | LOCK_NB) == 0,
        Self.leads(path, to: file)
      else { continue }
      remove(path)
    }
  }

  /// Removes what is too much.
  private func trim() {
    var found: [(path: String, status: FileStatus)] = []
    for name in names() where Self.isTemplate(name) {
      let path = "\(directory)/\(name)"
      guard let file = try? FileDescriptor.open(path, OpenFlags.path), let status = try? FileCalls.status(file.raw)
      else { continue }
      found.append((path, status))
    }
    found.sort { $1.status.accessed < $0.status.accessed }
    var size: UInt64 = 0
    for (index, (path, status)) in found.enumerated() {
      size += 512 * status.blocks
      if index >= Self.countLimit || size > Self.sizeLimit { remove(path) }
    }
  }

  // MARK: Names

  private func names() -> [String] { (try? Directories.names(directory)) ?? [] }

  private static func isTemplate(_ name: String) -> Bool { !name.hasPrefix(beginning) && name.contains(".") }

  private static func name(_ key: String, _ status: FileStatus) -> String {
    "\(key).\(status.modified.seconds)-\(status.modified.nanoseconds)"
  }

  private static func leads(_ path: String, to file: borrowing FileDescriptor) -> Bool {
    guard let other = try? FileDescriptor.open(path, OpenFlags.path), let there = try? FileCalls.status(other.raw),
      let here = try? FileCalls.status(file.raw)
    else { return false }
    return there.device == here.device && there.inode == here.inode
  }

  private func remove(_ path: String) { _ = unsafe unlink(path) }
}
