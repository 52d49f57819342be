import Glibc

/// A way down through directories, name by name, to any depth, on which no link is followed.
///
/// However deep it goes, few of them are open, and no stack is used. The way back up is `..`, and leads to the directory
/// that it came from or fails: who moves a directory elsewhere takes nobody along.
package struct DirectoryDescent: ~Copyable {
  private struct Level {
    /// Open, or -1.
    var descriptor: Int32
    let device: UInt64
    let inode: UInt64
  }

  private let top: Int32
  private var levels: [Level] = []

  /// How many levels from the lowest up are kept open.
  package static let openLevels = 16

  /// - Parameter directory: open for as long as this lives, and the caller's.
  package init(from directory: Int32) { top = directory }

  deinit { for level in levels where level.descriptor >= 0 { close(level.descriptor) } }

  /// The directory that this has come to, open for reading.
  package var current: Int32 { levels.last?.descriptor ?? top }

  /// How many levels it has gone down.
  package var depth: Int { levels.count }

  /// Goes down to a directory.
  ///
  /// - Parameters:
  ///   - name: with its NUL.
  ///   - isForced: whether a directory of this user's that keeps him out is opened up for it.
  package mutating func enter(_ name: Span<UInt8>, isForced: Bool = false) throws(Errno) {
    var opened: FileDescriptor
    do throws(Errno) {
      opened = try FileCalls.openBeneath(current, name, OpenFlags.directory)
    } catch {
      guard isForced, error == .accessDenied else { throw error }
      let place = try FileCalls.openBeneath(current, name, OpenFlags.directoryPath)
      try Self.openUp(place.raw, try FileCalls.status(place.raw))
      opened = try FileCalls.openBeneath(current, name, OpenFlags.directory)
    }
    let status = try FileCalls.status(opened.raw)
    if isForced { try Self.openUp(opened.raw, status) }
    levels.append(Level(descriptor: opened.release(), device: status.device, inode: status.inode))
    let far = levels.count - 1 - Self.openLevels
    if far >= 0, levels[far].descriptor >= 0 {
      close(levels[far].descriptor)
      levels[far].descriptor = -1
    }
  }

  private static func openUp(_ directory: Int32, _ status: FileStatus) throws(Errno) {
    let itself = FileCalls.itself
    if status.mode & 0o700 == 0o700 || FileCalls.effectiveUser == 0 { return }
    try FileCalls.changeMode(directory, itself.span, status.mode & 0o7777 | 0o700)
  }

  /// Goes back up by one. Of use for nothing more if it fails.
  ///
  /// - Throws: `stale` where the directory is not where it was any more.
  package mutating func leave() throws(Errno) {
    guard let left = levels.popLast() else { return }
    defer { close(left.descriptor) }
    guard let above = levels.last, above.descriptor < 0 else { return }
    // `..` is what openBeneath is there to refuse; what it leads to is looked at instead.
    let descriptor = FileDescriptor(
      owning: try checked(unsafe openat(left.descriptor, "..", OpenFlags.directory | O_CLOEXEC | O_NOFOLLOW)))
    let status = try FileCalls.status(descriptor.raw)
    guard status.device == above.device, status.inode == above.inode else { throw .stale }
    levels[levels.count - 1].descriptor = descriptor.release()
  }
}
