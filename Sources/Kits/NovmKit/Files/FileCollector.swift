import AgentProtocol

/// Keeps the files of a transfer, small ones, in memory.
final class FileCollector: FileSink {
  /// With its data, in the order in which they came.
  private(set) var files: [(record: FileRecord, data: [UInt8])] = []
  private var size = 0

  /// What a guest may make us keep, in bytes and in files.
  private static let sizeLimit = 64 << 20
  private static let countLimit = 1 << 18

  func begin(_ record: FileRecord) throws(NovmError) {
    guard files.count < Self.countLimit else { throw .protocolViolation(.malformedRecord) }
    files.append((record, []))
  }

  func write(_ data: ArraySlice<UInt8>) throws(NovmError) {
    size += data.count
    guard size <= Self.sizeLimit, !files.isEmpty else { throw .protocolViolation(.malformedRecord) }
    files[files.count - 1].data += data
  }

  func end() {}

  /// The text of the file of this path.
  func text(_ path: String) -> String? {
    files.first { $0.record.path == Array(path.utf8) }.map { String(decoding: $0.data, as: UTF8.self) }
  }
}
