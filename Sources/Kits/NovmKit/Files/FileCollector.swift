import AgentProtocol

/// Keeps the files of a transfer, small ones, in memory.
package final class FileCollector: FileSink {
  /// With its data, in the order in which they came.
  package private(set) var files: [(record: FileRecord, data: [UInt8])] = []
  private var size = 0
  private var nameSize = 0
  private let sizeLimit: Int
  private let countLimit: Int

  /// More than a guest may make us keep.
  package enum Excess: Equatable, Sendable {
    /// In files.
    case count(Int)
    /// In bytes of their names, and of the targets of links.
    case names(Int)
    /// In bytes of data.
    case size(Int)
  }

  /// - Parameters:
  ///   - sizeLimit: what a guest may make us keep, in bytes of data.
  ///   - countLimit: the same in files.
  package init(sizeLimit: Int = 64 << 20, countLimit: Int = 1 << 18) {
    self.sizeLimit = sizeLimit
    self.countLimit = countLimit
  }

  private static let nameLimit = 16 << 20

  package func begin(_ record: FileRecord) throws(NovmError) {
    guard files.count < countLimit else { throw .excessFiles(.count(countLimit)) }
    nameSize += record.path.count + record.target.count
    guard nameSize <= Self.nameLimit else { throw .excessFiles(.names(Self.nameLimit)) }
    files.append((record, []))
  }

  package func write(_ data: ArraySlice<UInt8>) throws(NovmError) {
    guard !files.isEmpty else { throw .protocolViolation(.malformedRecord) }
    size += data.count
    guard size <= sizeLimit else { throw .excessFiles(.size(sizeLimit)) }
    files[files.count - 1].data += data
  }

  package func end() {}

  /// The text of the file of this path.
  func text(_ path: String) -> String? {
    files.first { $0.record.path == Array(path.utf8) }.map { String(decoding: $0.data, as: UTF8.self) }
  }
}
