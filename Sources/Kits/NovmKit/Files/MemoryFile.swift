import AgentProtocol
import Glibc
import Host

/// A file that is made of bytes in memory.
package final class MemoryFile: FileSource {
  private let record: FileRecord
  private let data: [UInt8]

  /// - Parameters:
  ///   - name: the last of its path.
  ///   - mode: permissions.
  package init(_ name: [UInt8], _ data: [UInt8], mode: UInt32) {
    var record = FileRecord(.file, path: name, mode: mode & 0o7777)
    record.size = UInt64(data.count)
    var now = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &now)
    record.seconds = Int64(now.tv_sec)
    self.record = record
    self.data = data
  }

  package func send(to stream: FileStreamWriter) throws(NovmError) {
    try stream.begin(record)
    stream.write(data[...])
  }
}
