import Glibc
import Host

/// Sockets in the file system, with errors that name them.
enum UnixSocket {
  static func listen(at path: String) throws(NovmError) -> FileDescriptor {
    do { return try Host.UnixSocket.listen(Path(path)) } catch { throw fault("listen", path, error) }
  }

  static func connect(to path: String) throws(NovmError) -> FileDescriptor {
    do { return try Host.UnixSocket.connect(Path(path)) } catch { throw fault("connect", path, error) }
  }

  private static func fault(_ call: String, _ path: String, _ error: Errno) -> NovmError {
    error == Errno(ENAMETOOLONG) ? .store(.socketPathTooLong(path: path)) : .system(doing: call, path: path, error)
  }
}
