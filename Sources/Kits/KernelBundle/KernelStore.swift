import Glibc
import Host
import Packs

/// The directory of all bundles.
///
/// A bundle appears and disappears whole: it is built in a hidden directory and renamed. Whoever changes the store holds
/// the lock, so a hidden directory seen with the lock held belongs to an import that died, and is removed.
package struct KernelStore: Sendable {
  package let directory: String

  private static let temporaryPrefix = ".import-"

  /// What downloads packages.
  private let packageTool: String

  package init(directory: String, packageTool: String = "apt-get") {
    self.directory = directory
    self.packageTool = packageTool
  }

  /// Bundles, newest release first, of one release the last imported first, and directories that should be bundles but cannot be read.
  package struct Listing {
    package var bundles: [KernelBundle] = []
    package var damaged: [(name: String, error: KernelBundleError)] = []
  }

  package func list() throws(KernelBundleError) -> Listing {
    var listing = Listing()
    guard Files.exists(directory) else { return listing }
    let names = try Files.names(in: directory)
    removeLeftovers(names)
    for name in names where !name.hasPrefix(".") {
      guard Files.kind("\(directory)/\(name)") == .directory else { continue }
      do throws(KernelBundleError) {
        listing.bundles.append(try KernelBundle(name: name, directory: "\(directory)/\(name)"))
      } catch {
        listing.damaged.append((name, error))
      }
    }
    listing.bundles.sort {
      let (one, other) = (KernelRelease($0.release), KernelRelease($1.release))
      if one != other { return one > other }
      let times = ($0.description.imported, $1.description.imported)
      return times.0 == times.1 ? $0.name < $1.name : times.0 > times.1
    }
    return listing
  }

  /// The first of the list.
  package func newest() throws(KernelBundleError) -> KernelBundle {
    guard let bundle = try list().bundles.first else { throw .noBundles(store: directory) }
    return bundle
  }

  package func bundle(named name: String) throws(KernelBundleError) -> KernelBundle {
    let path = try self.path(of: name)
    if let names = try? Files.names(in: directory) { removeLeftovers(names) }
    guard Files.kind(path) == .directory else { throw .noSuchBundle(name, store: directory) }
    return try KernelBundle(name: name, directory: path)
  }

  package func remove(_ name: String) throws(KernelBundleError) {
    let path = try self.path(of: name)
    guard Files.kind(path) == .directory else {
      if let names = try? Files.names(in: directory) { removeLeftovers(names) }
      throw .noSuchBundle(name, store: directory)
    }
    try locked { () throws(KernelBundleError) in
      let hidden = "\(directory)/\(Self.temporaryPrefix)\(getpid())"
      try Files.rename(path, hidden)
      try Files.removeTree(hidden)
    }
  }

  /// Makes a bundle; one of the same name is replaced at the end.
  ///
  /// - Parameters:
  ///   - name: the kernel's release if nil.
  ///   - noguest: path of the executable that becomes `/init` of the initramfs.
  ///   - isKept: whether one of the same name is taken as it is.
  package func `import`(
    _ source: KernelSource, name: String? = nil, noguest: String, isKept: Bool = false,
    progress: @escaping (ImportProgress) -> Void = { _ in }
  ) throws(KernelBundleError) -> KernelBundle {
    if let name {
      let path = try path(of: name)
      if isKept, let known = try? KernelBundle(name: name, directory: path) { return known }
    }
    try source.check()
    return try install(name, isKept: isKept, progress) { (work) throws(KernelBundleError) in
      let files = try KernelFiles(source, work: work, packageTool: packageTool, progress: progress)
      return try BundleBuilder(directory: "\(work)/bundle", noguest: noguest, progress: progress).build(files)
    }
  }

  /// Makes a bundle of an archive of one (``BundleArchive``); one of the same name is replaced at the end.
  ///
  /// - Parameters:
  ///   - file: an open file or pipe.
  ///   - origin: its path or address.
  ///   - digest: what the file is to be.
  package func `import`(
    archive file: Int32, origin: String, digest: Digest? = nil, name: String? = nil, noguest: String,
    progress: @escaping (ImportProgress) -> Void = { _ in }
  ) throws(KernelBundleError) -> KernelBundle {
    if let name { _ = try path(of: name) }
    return try install(name, progress) { (work) throws(KernelBundleError) in
      try BundleUnpacking(directory: "\(work)/bundle", staging: "\(work)/files", origin: origin)
        .unpack(file, digest: digest, noguest: noguest, progress: progress)
    }
  }

  /// Makes the directory, for whoever needs room in it.
  package func makeDirectory() throws(KernelBundleError) { try Files.makeDirectories(directory) }

  /// - Parameter build: makes the directory `bundle` in the one that it is given.
  private func install(
    _ name: String?, isKept: Bool = false, _ progress: (ImportProgress) -> Void,
    _ build: (String) throws(KernelBundleError) -> BundleDescription
  ) throws(KernelBundleError) -> KernelBundle {
    try Files.makeDirectories(directory)
    return try locked(progress) { () throws(KernelBundleError) in
      // Somebody else may just have made it.
      if isKept, let name, let known = try? KernelBundle(name: name, directory: try path(of: name)) { return known }
      let work = "\(directory)/\(Self.temporaryPrefix)\(getpid())"
      do throws(KernelBundleError) {
        try Files.makeDirectories(work)
        let description = try build(work)
        let name = name ?? description.release
        let path = try path(of: name)
        if Files.exists(path) {
          try Files.exchange("\(work)/bundle", path)
        } else {
          try Files.rename("\(work)/bundle", path)
        }
        try Files.removeTree(work)
        return try KernelBundle(name: name, directory: path)
      } catch {
        try? Files.removeTree(work)
        throw error
      }
    }
  }

  private func path(of name: String) throws(KernelBundleError) -> String {
    guard !name.isEmpty, !name.hasPrefix("."), !name.hasPrefix("-"), name.utf8.count <= 128,
      name.unicodeScalars.allSatisfy({ $0.value > 0x20 && $0.value < 0x7F && $0 != "/" })
    else { throw .invalidName(name) }
    return "\(directory)/\(name)"
  }

  /// Runs `body` with the store's lock, and with what dead imports left removed.
  private func locked<Result>(
    _ progress: (ImportProgress) -> Void = { _ in }, _ body: () throws(KernelBundleError) -> Result
  ) throws(KernelBundleError) -> Result {
    let path = "\(directory)/.lock"
    let lock = try Files.open(path, O_RDWR | O_CREAT, mode: 0o644, for: .lock)
    if flock(lock.raw, LOCK_EX | LOCK_NB) != 0 {
      progress(.waitingForLock)
      let raw = lock.raw
      try Files.attempt(.lock, path) { () throws(Errno) in try retryingInterrupts { flock(raw, LOCK_EX) } }
    }
    return try withExtendedLifetime(lock) { (_) throws(KernelBundleError) in
      try sweep()
      return try body()
    }
  }

  /// Removes what dead imports left, unless one is alive, or this user may not.
  ///
  /// - Parameter names: those in the store.
  private func removeLeftovers(_ names: [String]) {
    guard names.contains(where: { $0.hasPrefix(Self.temporaryPrefix) }) else { return }
    guard let lock = try? Files.open("\(directory)/.lock", O_RDWR), flock(lock.raw, LOCK_EX | LOCK_NB) == 0 else {
      return
    }
    withExtendedLifetime(lock) { _ in try? sweep() }
  }

  /// With the lock held.
  private func sweep() throws(KernelBundleError) {
    for name in try Files.names(in: directory) where name.hasPrefix(Self.temporaryPrefix) {
      try Files.removeTree("\(directory)/\(name)")
    }
  }
}
