import CLinux
import Glibc

/// What names there are in a directory, and making and removing them.
extension FileCalls {
  /// The names in an open directory, sorted, without `.` and `..`, and without a NUL.
  package static func names(_ directory: Int32) throws(Errno) -> [[UInt8]] {
    var names: [[UInt8]] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    try seekDirectory(directory, to: 0)
    _ = try eachName(directory, &buffer) { (name, _) throws(Errno) in
      names.append(name.dropLast())
      return true
    }
    return names.sorted { $0.lexicographicallyPrecedes($1) }
  }

  /// Reads names of a directory from its position on, without `.` and `..`.
  ///
  /// - Parameters:
  ///   - buffer: for the kernel to fill.
  ///   - body: gets each with its NUL, and its DT_* as in readdir(3); false ends it.
  /// - Returns: whether it came to the end.
  package static func eachName(
    _ directory: Int32, _ buffer: inout [UInt8], _ body: ([UInt8], UInt8) throws(Errno) -> Bool
  ) throws(Errno) -> Bool {
    while true {
      let count = try directoryEntries(directory, into: &buffer)
      if count == 0 { return true }
      var position = 0
      // struct linux_dirent64: inode 8, offset 8, length 2, type 1, name with its NUL.
      while position + 20 <= count {
        let length = Int(buffer[position + 16]) | Int(buffer[position + 17]) << 8
        guard length >= 20, position + length <= count else { throw .inputOutput }
        let type = buffer[position + 18]
        let name = buffer[(position + 19)..<(position + length)].prefix { $0 != 0 } + [0]
        position += length
        if name.elementsEqual([0x2e, 0]) || name.elementsEqual([0x2e, 0x2e, 0]) { continue }
        if try !body(Array(name), type) { return false }
      }
    }
  }

  /// DT_DIR.
  package static let directoryType: UInt8 = 4

  package static func makeDirectory(_ directory: Int32, _ name: Span<UInt8>, mode: UInt32) throws(Errno) {
    try checked(unsafe path(name) { unsafe mkdirat(directory, $0, mode) })
  }

  /// mknodat(2).
  package static func makeNode(
    _ directory: Int32, _ name: Span<UInt8>, mode: UInt32, major: UInt32, minor: UInt32
  ) throws(Errno) {
    let (major, minor) = (UInt(major), UInt(minor))
    let device = (major & 0xfff) << 8 | (major & ~0xfff) << 32 | (minor & 0xff) | (minor & ~0xff) << 12
    try checked(unsafe path(name) { unsafe mknodat(directory, $0, mode, device) })
  }

  /// overlayfs's whiteout, which needs no privilege since Linux 5.8. On an overlayfs, which keeps them for itself, a symlink of
  /// ours; `status` shows both as the same.
  package static func makeWhiteout(_ directory: Int32, _ name: Span<UInt8>) throws(Errno) {
    do throws(Errno) {
      try makeNode(directory, name, mode: FileType.characterDevice, major: 0, minor: 0)
    } catch {
      guard error == .notPermitted, isOverlayfs(directory) else { throw error }
      try makeLink(directory, name, whiteoutTarget)
    }
  }

  static let whiteoutTarget = [UInt8]("(novm-whiteout)\0".utf8)

  package static func isOverlayfs(_ descriptor: Int32) -> Bool {
    // OVERLAYFS_SUPER_MAGIC (linux/magic.h)
    (try? fileSystem(descriptor))?.f_type == 0x794c_7630
  }

  /// - Parameter target: with its NUL.
  /// - Throws: EPERM, too, for what would be a whiteout.
  package static func makeSymlink(
    _ directory: Int32, _ name: Span<UInt8>, target: [UInt8]
  ) throws(Errno) {
    if target == whiteoutTarget, isOverlayfs(directory) { throw .notPermitted }
    try makeLink(directory, name, target)
  }

  private static func makeLink(_ directory: Int32, _ name: Span<UInt8>, _ target: [UInt8]) throws(Errno) {
    try checked(
      unsafe path(target.span) { target in unsafe path(name) { unsafe symlinkat(target, directory, $0) } })
  }

  package static func remove(_ directory: Int32, _ name: Span<UInt8>, isDirectory: Bool) throws(Errno) {
    try checked(unsafe path(name) { unsafe unlinkat(directory, $0, isDirectory ? AT_REMOVEDIR : 0) })
  }

  /// renameat2(2).
  package static func rename(
    _ oldDirectory: Int32, _ oldName: Span<UInt8>, to newDirectory: Int32, _ newName: Span<UInt8>,
    _ flags: RenameFlags = []
  ) throws(Errno) {
    try checked(
      unsafe path(oldName) { old in
        unsafe path(newName) { unsafe clinux_renameat2(oldDirectory, old, newDirectory, $0, flags.rawValue) }
      })
  }

  /// linkat(2). The empty name for the old one needs `/proc`.
  package static func link(
    _ oldDirectory: Int32, _ oldName: Span<UInt8>, to newDirectory: Int32, _ newName: Span<UInt8>
  ) throws(Errno) {
    try checked(
      unsafe path(newName) { new in
        if oldName.count == 1 {
          let link = DescriptorPath(oldDirectory, oldName)
          return unsafe link.withPath { unsafe linkat(AT_FDCWD, $0, newDirectory, new, AT_SYMLINK_FOLLOW) }
        }
        return unsafe path(oldName) { unsafe linkat(oldDirectory, $0, newDirectory, new, 0) }
      })
  }
}
