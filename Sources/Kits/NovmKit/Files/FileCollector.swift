import AgentProtocol

/// Keeps the files of a transfer, small ones, in memory.
package final class FileCollector: FileSink {
  /// With its data, in the order in which they came.
  package private(set) var files: [(record: FileRecord, data: [UInt8])] = []
  private var size = 0
  private let sizeLimit: Int

  /// - Parameter sizeLimit: what a guest may make us keep, in bytes.
  package init(sizeLimit: Int = 64 << 20) { self.sizeLimit = sizeLimit }

  /// The same in files.
  private static let countLimit = 1 << 18

  package func begin(_ record: FileRecord) throws(NovmError) {
    guard files.count < Self.countLimit else { throw .protocolViolation(.malformedRecord) }
    files.append((record, []))
  }

  package func write(_ data: ArraySlice<UInt8>) throws(NovmError) {
    size += data.count
    guard size <= sizeLimit, !files.isEmpty else { throw .protocolViolation(.malformedRecord) }
    files[files.count - 1].data += data
  }

  package func end() {}

  /// The text of the file of this path.
  func text(_ path: String) -> String? {
    files.first { $0.record.path == Array(path.utf8) }.map { String(decoding: $0.data, as: UTF8.self) }
  }
}
