import Glibc
import Host

/// Both ends of a pipe(2), closed on exec.
struct Pipe: ~Copyable {
  let reader: FileDescriptor
  let writer: FileDescriptor

  init() throws(NovmError) {
    var ends: [Int32] = [-1, -1]
    guard unsafe pipe(&ends) == 0 else { throw .call("pipe", .current) }
    // pipe2(2) would do it in one step, but nothing is started in between.
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    reader = FileDescriptor(owning: ends[0])
    writer = FileDescriptor(owning: ends[1])
  }

  consuming func takeReader() -> FileDescriptor { reader }
  consuming func takeWriter() -> FileDescriptor { writer }
}
