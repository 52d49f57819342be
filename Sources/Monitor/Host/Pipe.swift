import CLinux
import Glibc

/// Both ends of a pipe(2), closed on exec.
package struct Pipe: ~Copyable {
  package let reader: FileDescriptor
  package let writer: FileDescriptor

  package init() throws(Errno) {
    var ends: [Int32] = [-1, -1]
    try checked(unsafe clinux_pipe(&ends))
    reader = FileDescriptor(owning: ends[0])
    writer = FileDescriptor(owning: ends[1])
  }

  package consuming func split() -> (reader: Int32, writer: Int32) { (reader.release(), writer.release()) }
  package consuming func takeReader() -> FileDescriptor { reader }
  package consuming func takeWriter() -> FileDescriptor { writer }
}
