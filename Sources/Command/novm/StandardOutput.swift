import ArgumentParser
import Glibc
import Host
import NovmKit

enum StandardOutput {
  /// Writes it all.
  static func write(_ bytes: [UInt8]) throws {
    fflush(nil)
    do {
      let output = try FileDescriptor.duplicate(of: STDOUT_FILENO)
      try output.writeAll(bytes)
    } catch {
      throw NovmError.output(error)
    }
  }

  /// Sees to it that what was printed is written; what is lost would not show otherwise.
  static func finish() throws {
    if fflush(nil) == 0 { return }
    let error = Errno.current
    // Who reads no more knows.
    if error == Errno(EPIPE) { throw ExitCode(128 + SIGPIPE) }
    throw CommandFailure("standard output cannot be written: \(error.description)")
  }
}
