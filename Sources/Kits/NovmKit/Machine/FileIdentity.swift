import Glibc
import Host

/// Tells whether two paths lead to one file.
struct FileIdentity: Hashable {
  var device: UInt
  var inode: UInt

  /// nil if there is nothing to look at.
  init?(_ path: Path) {
    guard let file = try? FileDescriptor.open(path, OpenFlags.path) else { return nil }
    var status = stat()
    guard unsafe fstat(file.raw, &status) == 0 else { return nil }
    (device, inode) = (status.st_dev, status.st_ino)
  }

  /// The host's devices, processes and kernel, as far as they are file systems of their own.
  static let ofSystem: [FileIdentity] = {
    let root = FileIdentity("/")
    return ["/dev", "/proc", "/sys"].compactMap { FileIdentity($0) }.filter { $0.device != root?.device }
  }()
}
