import AgentProtocol
import CGuest

/// Directories of the host that are devices of their own, beside the tree.
enum SharedDirectories {
  /// Mounts what `novm.mount=` names, in that order. The tree has a directory for each; other file systems get one here.
  static func mount(_ arguments: KernelArguments) throws(Failure) {
    if let (tag, path) = arguments.modules {
      do throws(SystemError) { try mount(tag, path, isReadOnly: true) } catch {
        // A root disk that can only be read may have no directory for them.
        Log.warning("no modules on " + path + ": " + error.text)
      }
    }
    for (tag, path, isReadOnly) in arguments.mounts {
      do throws(SystemError) {
        try mount(tag, path, isReadOnly: isReadOnly)
      } catch {
        throw Failure(.rejected, error, "cannot mount the share '" + tag + "' on " + path)
      }
    }
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
