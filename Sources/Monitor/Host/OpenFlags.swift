import CLinux
import Glibc

/// Flags of open(2) by the use they are put to.
package enum OpenFlags {
  /// A place only: for lookups beneath it and for asking about it.
  package static let path = Int32(clinux_O_PATH)
  package static let directoryPath = Int32(clinux_O_PATH) | O_DIRECTORY
  /// A directory to list.
  package static let directory = O_RDONLY | O_DIRECTORY
  /// Non-blocking, so that something that is suddenly a FIFO cannot hold the server up.
  package static let read = O_RDONLY | O_NONBLOCK
  package static let readWrite = O_RDWR | O_NONBLOCK
  package static let readAppend = O_RDWR | O_NONBLOCK | O_APPEND
  package static let write = O_WRONLY | O_NONBLOCK
  package static let createExclusively = O_RDWR | O_CREAT | O_EXCL
  package static let temporary = Int32(clinux_O_TMPFILE) | O_RDWR
  package static let accessMode = O_ACCMODE
  package static let truncate = O_TRUNC
  package static let append = O_APPEND
  package static let exclusive = O_EXCL
}

extension Errno {
  package static let notPermitted = Errno(EPERM)
  package static let notFound = Errno(ENOENT)
  package static let interrupted = Errno(EINTR)
  package static let inputOutput = Errno(EIO)
  package static let noSuchDevice = Errno(ENXIO)
  package static let badDescriptor = Errno(EBADF)
  package static let outOfMemory = Errno(ENOMEM)
  package static let badAddress = Errno(EFAULT)
  package static let accessDenied = Errno(EACCES)
  package static let busy = Errno(EBUSY)
  package static let exists = Errno(EEXIST)
  package static let crossDevice = Errno(EXDEV)
  package static let notDirectory = Errno(ENOTDIR)
  package static let isDirectory = Errno(EISDIR)
  package static let invalid = Errno(EINVAL)
  package static let notTerminal = Errno(ENOTTY)
  package static let fileTooLarge = Errno(EFBIG)
  package static let noSpace = Errno(ENOSPC)
  package static let readOnly = Errno(EROFS)
  package static let tooManyLinks = Errno(EMLINK)
  package static let outOfRange = Errno(ERANGE)
  package static let nameTooLong = Errno(ENAMETOOLONG)
  package static let notImplemented = Errno(ENOSYS)
  package static let notEmpty = Errno(ENOTEMPTY)
  package static let tooManySymlinks = Errno(ELOOP)
  package static let noData = Errno(ENODATA)
  package static let protocolError = Errno(EPROTO)
  package static let notSupported = Errno(EOPNOTSUPP)
  package static let stale = Errno(ESTALE)
  package static let tooManyFiles = Errno(ENFILE)

  /// The process or the host has no descriptor left.
  package var meansDescriptorsAreShort: Bool { code == EMFILE || code == ENFILE }
}
