import Glibc

/// Removes trees whose names, modes and depth somebody else chose.
///
/// No link is followed, names are bytes, neither stack nor descriptors are used for a tree's depth, and others may remove the
/// same one meanwhile. A directory is read once, however many are in it.
package enum DirectoryRemoval {
  /// Removes a name and, if it is a directory, all that is in it. What is not there is removed.
  ///
  /// - Parameters:
  ///   - name: with its NUL.
  ///   - isForced: whether flags (chattr(1)) and modes that are in the way are changed.
  package static func remove(_ directory: Int32, _ name: [UInt8], isForced: Bool) throws(Errno) {
    for _ in 0..<patience {
      do throws(Errno) {
        try unlink(directory, name.span, isDirectory: false, isForced)
        return
      } catch {
        guard error == .isDirectory else { throw error }
      }
      do throws(Errno) {
        var emptying = Emptying(directory, isForced)
        try emptying.enter(name)
        try emptying.run()
        return
      } catch {
        // What was a directory is another thing by now, or was moved while this was in it.
        guard [.notFound, .notDirectory, .tooManySymlinks, .stale].contains(error) else { throw error }
      }
    }
    throw .stale
  }

  /// The same, by path: with links followed on the way, but not at its end.
  package static func remove(path: Path, isForced: Bool) throws(Errno) {
    let slash = UInt8(ascii: "/")
    let start = path.bytes.lastIndex(of: slash).map { $0 + 1 } ?? 0
    do throws(Errno) {
      let parent = try FileDescriptor.open(
        start == 0 ? "." : Path(Array(path.bytes[..<start])), OpenFlags.directoryPath)
      try remove(parent.raw, path.bytes[start...] + [0], isForced: isForced)
    } catch {
      if error != .notFound { throw error }
    }
  }

  /// Removes all that is in an open directory.
  package static func removeContents(of directory: Int32, isForced: Bool) throws(Errno) {
    for _ in 0..<patience {
      do throws(Errno) {
        var emptying = Emptying(directory, isForced)
        try emptying.run()
        return
      } catch {
        guard error == .stale else { throw error }
      }
    }
    throw .stale
  }

  /// How often it begins anew where somebody else moves directories about.
  static let patience = 64

  /// - Throws: `isDirectory` for a directory that was to be something else.
  static func unlink(
    _ directory: Int32, _ name: Span<UInt8>, isDirectory: Bool, _ isForced: Bool
  ) throws(Errno) {
    for isSecond in [false, true] {
      do throws(Errno) {
        return try FileCalls.remove(directory, name, isDirectory: isDirectory)
      } catch {
        if error == .notFound { return }
        guard error == .notPermitted else { throw error }
        // POSIX has EPERM for unlinking a directory, Linux EISDIR.
        if !isDirectory, (try? FileCalls.status(directory, name))?.isDirectory == true { throw .isDirectory }
        guard isForced, !isSecond, directory != AT_FDCWD else { throw error }
        unlock(directory, name)
      }
    }
  }

  /// Takes off the flags, immutable and append-only, that keep a name from being removed.
  private static func unlock(_ directory: Int32, _ name: Span<UInt8>) {
    clearLock(directory)
    guard let place = try? FileCalls.openBeneath(directory, name, OpenFlags.path),
      let status = try? FileCalls.status(place.raw), status.isRegular || status.isDirectory,
      let file = try? FileCalls.reopen(place.raw, OpenFlags.read)
    else { return }
    clearLock(file.raw)
  }

  private static func clearLock(_ descriptor: Int32) {
    guard let flags = try? InodeFlags.get(descriptor), flags & InodeFlags.locked != 0 else { return }
    try? InodeFlags.set(descriptor, flags & ~InodeFlags.locked)
  }
}

/// One go at emptying a directory.
private struct Emptying: ~Copyable {
  /// A directory on the way down to the one that is being emptied.
  private struct Level {
    /// With its NUL; that alone for one that stays.
    let name: [UInt8]
    /// Directories in it that are still to go.
    var children: [[UInt8]] = []
    /// Whether all of it was read.
    var isRead = false
    /// Whether there was anything when it was last read.
    var hadEntries = false
    /// How often all of it was read, with something in it each time.
    var rounds = 0
  }

  private var descent: DirectoryDescent
  private let isForced: Bool
  private var levels: [Level]
  private var buffer = [UInt8](repeating: 0, count: 1 << 15)

  /// How many directories in one are looked for at once, and how many names are known in all before it is fewer.
  private static let (mostChildren, leastChildren, mostNames) = (4096, 16, 1 << 16)

  /// How many are known.
  private var nameCount = 0

  init(_ directory: Int32, _ isForced: Bool) {
    descent = DirectoryDescent(from: directory)
    self.isForced = isForced
    levels = [Level(name: FileCalls.itself)]
  }

  /// Begins with a directory in the one given, which goes too.
  mutating func enter(_ name: [UInt8]) throws(Errno) {
    try descent.enter(name.span, isForced: isForced)
    levels = [Level(name: name)]
  }

  mutating func run() throws(Errno) {
    while let level = levels.indices.last {
      if let child = levels[level].children.popLast() {
        nameCount -= 1
        try goDown(child)
      } else if !levels[level].isRead || descent.depth == 0 && levels[level].hadEntries {
        try read(level)
      } else if descent.depth == 0 {
        return
      } else {
        try goUp(levels.removeLast())
      }
    }
  }

  private mutating func goDown(_ name: [UInt8]) throws(Errno) {
    do throws(Errno) {
      try descent.enter(name.span, isForced: isForced)
      levels.append(Level(name: name))
    } catch {
      // Something else by now.
      guard [.notFound, .notDirectory, .tooManySymlinks].contains(error) else { throw error }
      try DirectoryRemoval.unlink(descent.current, name.span, isDirectory: false, isForced)
    }
  }

  private mutating func goUp(_ level: Level) throws(Errno) {
    try descent.leave()
    do throws(Errno) {
      try DirectoryRemoval.unlink(descent.current, level.name.span, isDirectory: true, isForced)
    } catch {
      // What came while it was read; some file systems also pass over names where others go.
      guard error == .notEmpty || error == .exists, level.hadEntries else { throw error }
      try descent.enter(level.name.span, isForced: isForced)
      levels.append(Level(name: level.name, rounds: level.rounds))
    }
  }

  /// Removes what is in the directory, but for directories, which it notes.
  private mutating func read(_ level: Int) throws(Errno) {
    // Somebody fills it faster, or what is listed cannot be had by its name (some network file systems have such).
    if levels[level].rounds >= DirectoryRemoval.patience { throw .notEmpty }
    (levels[level].isRead, levels[level].hadEntries) = (true, false)
    let (directory, isForced) = (descent.current, isForced)
    let most = max(Self.leastChildren, min(Self.mostChildren, Self.mostNames - nameCount))
    var children: [[UInt8]] = []
    var hadEntries = false
    do throws(Errno) {
      try FileCalls.seekDirectory(directory, to: 0)
      levels[level].isRead = try FileCalls.eachName(directory, &buffer) { (name, type) throws(Errno) in
        hadEntries = true
        do throws(Errno) {
          if type == FileCalls.directoryType { throw .isDirectory }
          try DirectoryRemoval.unlink(directory, name.span, isDirectory: false, isForced)
        } catch {
          guard error == .isDirectory else { throw error }
          children.append(name)
        }
        return children.count < most
      }
    } catch {
      // Another has removed the directory itself.
      guard error == .notFound else { throw error }
    }
    if hadEntries, levels[level].isRead { levels[level].rounds += 1 }
    levels[level].hadEntries = hadEntries
    levels[level].children = children
    nameCount += children.count
  }
}
