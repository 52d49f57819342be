import AgentProtocol
import CGuest

/// Directories of the host that are devices of their own, beside the tree, and files that are one device together.
enum SharedDirectories {
  /// Where that device is for as long as its files are put in their places.
  private static let files: Bytes = "/run/novm/files"

  /// Mounts what `novm.mount=` names, in that order, files last. The tree has a place for each; other file systems get one here.
  static func mount(_ arguments: KernelArguments) throws(Failure) {
    if let (tag, path) = arguments.modules {
      do throws(SystemError) { try mount(tag, path, isReadOnly: true) } catch {
        // A root disk that can only be read may have no directory for them.
        Log.warning("no modules on " + path + ": " + error.text)
      }
    }
    var hasFiles = false
    for (tag, path, isReadOnly) in arguments.mounts {
      do throws(SystemError) {
        if let slash = tag.firstIndex(of: UInt8(ascii: "/")) {
          if !hasFiles { try mount(Bytes(tag[..<slash]), files, isReadOnly: false) }
          hasFiles = true
          try cover(path, with: files + tag[slash...], isReadOnly: isReadOnly)
        } else {
          try mount(tag, path, isReadOnly: isReadOnly)
        }
      } catch {
        throw Failure(.rejected, error, "cannot mount the share '" + tag + "' on " + path)
      }
    }
    if hasFiles { try? Mount.detach(files) }
  }

  private static func cover(_ path: Bytes, with file: Bytes, isReadOnly: Bool) throws(SystemError) {
    if !Files.exists(path) {
      makeDirectories(Bytes(path[..<(path.lastIndex(of: UInt8(ascii: "/")) ?? 0)]))
      _ = try Descriptor.open(path, O_WRONLY | O_CREAT, mode: 0o644)
    }
    try Mount.cover(path, with: file)
    if isReadOnly { try Mount.attach("", at: path, type: "", flags: Int32(MS_REMOUNT | MS_BIND | MS_RDONLY)) }
  }

  private static func mount(_ tag: Bytes, _ path: Bytes, isReadOnly: Bool) throws(SystemError) {
    if !Files.isDirectory(path) { makeDirectories(path) }
    try Mount.attach(tag, at: path, type: "virtiofs", flags: isReadOnly ? Int32(MS_RDONLY) : 0)
    WriteBack.allowAll(at: path)
  }

  private static func makeDirectories(_ path: Bytes) {
    for end in path.indices.dropFirst() where path[end] == UInt8(ascii: "/") {
      try? Files.makeDirectory(Bytes(path[..<end]))
    }
    try? Files.makeDirectory(path)
  }
}
