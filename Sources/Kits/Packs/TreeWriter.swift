import Glibc
import Host

/// Makes a pack's tree of its manifest.
///
/// Each name is made in the open directory that it belongs to, so that nothing on the way can lead elsewhere.
struct TreeWriter: ~Copyable {
  let root: FileDescriptor
  let builder: PackBuilder

  func write(_ manifest: Manifest) throws(PackError) {
    var descent = DirectoryDescent(from: root.raw)
    // From the top down to the one being filled.
    var open: [PackEntry] = []
    var contents: [[UInt8]: (PackEntry, PackBuilder.Content)] = [:]
    let linked = Set(
      manifest.entries.compactMap { entry -> [UInt8]? in
        if case .link(let target) = entry.kind { target } else { nil }
      })
    for entry in manifest.entries {
      guard let parent = entry.parent else {
        open.append(entry)
        continue
      }
      while let level = open.last, level.path != parent {
        try finish(level, &descent)
        open.removeLast()
      }
      if open.isEmpty { throw .damagedPack("", "a directory is missing") }
      let directory = descent.current
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
        try make(entry, in: &descent, name)
        if entry.isDirectory { open.append(entry) }
      }
    }
    while let level = open.popLast() { try finish(level, &descent) }
  }

  /// Goes into what it made, if it is a directory.
  private func make(_ entry: PackEntry, in descent: inout DirectoryDescent, _ name: [UInt8]) throws(PackError) {
    let directory = descent.current
    do throws(Errno) {
      switch entry.kind {
      case .directory:
        try FileCalls.makeDirectory(directory, name.span, mode: 0o700)
        try descent.enter(name.span)
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
  }

  /// Leaves a directory. Its own attributes come last: what is made in it changes its time.
  private func finish(_ entry: PackEntry, _ descent: inout DirectoryDescent) throws(PackError) {
    do throws(Errno) {
      try TreeMetadata.apply(entry, to: descent.current, FileCalls.itself, type: FileType.directory)
      try descent.leave()
    } catch {
      throw TreeMetadata.failure(error, .create, entry.path, store: builder.path)
    }
  }
}
