import AgentProtocol
import CGuest

/// Directories of the host that are devices of their own, beside the tree.
enum SharedDirectories {
  /// Mounts what `novm.mount=` names, in that order. The tree has a directory for each; other file systems get one here.
  static func mount(_ arguments: KernelArguments) throws(Failure) {
    for (tag, path, isReadOnly) in arguments.mounts {
      do throws(SystemError) {
        if !Files.isDirectory(path) { makeDirectories(path) }
        try Mount.attach(tag, at: path, type: "virtiofs", flags: isReadOnly ? Int32(MS_RDONLY) : 0)
        WriteBack.allowAll(at: path)
      } catch {
        throw Failure(.rejected, error, "cannot mount the share '" + tag + "' on " + path)
      }
    }
  }

  private static func makeDirectories(_ path: Bytes) {
    for end in path.indices.dropFirst() where path[end] == UInt8(ascii: "/") {
      try? Files.makeDirectory(Bytes(path[..<end]))
    }
    try? Files.makeDirectory(path)
  }
}
