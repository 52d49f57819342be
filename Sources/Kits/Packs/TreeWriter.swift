import Glibc
import Host

/// Makes a pack's tree of its manifest.
///
/// Directories are open from the top down to the one being filled; each name is made in the one it belongs to, so that
/// nothing on the way can lead elsewhere.
struct TreeWriter: ~Copyable {
  let root: FileDescriptor
  let builder: PackBuilder

  func write(_ manifest: Manifest) throws(PackError) {
    var open: [(entry: PackEntry, descriptor: Int32)] = []
    defer { for level in open.dropFirst() { close(level.descriptor) } }
    var contents: [[UInt8]: (PackEntry, PackBuilder.Content)] = [:]
    let linked = Set(
      manifest.entries.compactMap { entry -> [UInt8]? in
        if case .link(let target) = entry.kind { target } else { nil }
      })
    for entry in manifest.entries {
      guard let parent = entry.parent else {
        open.append((entry, root.raw))
        continue
      }
      while let level = open.last, level.entry.path != parent {
        try finish(level.entry, level.descriptor)
        open.removeLast()
        if !open.isEmpty { close(level.descriptor) }
      }
      guard let directory = open.last?.descriptor else { throw .damagedPack("", "a directory is missing") }
      let name = entry.name + [0]
      switch entry.kind {
      case .file(let size, let digest):
        let content = PackBuilder.Content(size: size, digest: digest)
        if linked.contains(entry.path) { contents[entry.path] = (entry, content) }
        try builder.place(entry, content, in: directory, name)
      case .link(let target):
        guard let (file, content) = contents[target] else { throw .damagedPack("", "a link leads nowhere") }
        try builder.place(file, content, in: directory, name)
      default:
        if let made = try make(entry, in: directory, name) { open.append((entry, made)) }
      }
    }
    while let level = open.last {
      try finish(level.entry, level.descriptor)
      open.removeLast()
      if !open.isEmpty { close(level.descriptor) }
    }
  }

  /// - Returns: the open directory, if it is one.
  private func make(_ entry: PackEntry, in directory: Int32, _ name: [UInt8]) throws(PackError) -> Int32? {
    do throws(Errno) {
      switch entry.kind {
      case .directory:
        try FileCalls.makeDirectory(directory, name.span, mode: 0o700)
        return try FileCalls.openBeneath(directory, name.span, OpenFlags.directory).release()
      case .symlink(let target):
        try FileCalls.makeSymlink(directory, name.span, target: target + [0])
        try TreeMetadata.apply(entry, to: directory, name, type: FileType.symlink)
      case .whiteout:
        try FileCalls.makeWhiteout(directory, name.span)
      case .fifo, .device:
        try FileCalls.makeNode(directory, name.span, mode: FileType.regular | 0o600, major: 0, minor: 0)
        try TreeMetadata.apply(entry, to: directory, name, type: FileType.regular)
      case .file, .link: break
      }
    } catch {
      throw TreeMetadata.failure(error, .create, entry.path, store: builder.path)
    }
    return nil
  }

  /// A directory's own attributes come last: what is made in it changes its time.
  private func finish(_ entry: PackEntry, _ directory: Int32) throws(PackError) {
    do throws(Errno) {
      try TreeMetadata.apply(entry, to: directory, FileCalls.itself, type: FileType.directory)
    } catch {
      throw TreeMetadata.failure(error, .create, entry.path, store: builder.path)
    }
  }
}
