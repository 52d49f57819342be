import CLinux
import Glibc

/// Descriptors 0, 1 and 2.
package enum StandardStreams {
  /// Opens `/dev/null` for those that the caller closed. Otherwise the next thing opened would get such a number, and be
  /// read or written as what it is not. Nothing can be written to what stands for standard output: whoever closed it and has
  /// something written there is told, as coreutils has it.
  package static func fill() {
    for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(descriptor, F_GETFD) < 0 {
      // open(2) takes the lowest free number, which is this one.
      _ = unsafe clinux_open("/dev/null", descriptor == STDERR_FILENO ? O_WRONLY : O_RDONLY, 0)
    }
  }
}
