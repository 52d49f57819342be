import Glibc
import Host

/// Whole lines that come to a file of bounded size (``RotatedFile``), which another process appends to and begins anew.
package final class LogTail {
  private let path: String
  private var file: FileDescriptor?
  private var identity: FileIdentity?
  private var partial: [UInt8] = []

  /// From what comes after this on; the file may yet come, too.
  package init(_ path: String) {
    self.path = path
    open()
    if let number = file?.raw { lseek(number, 0, SEEK_END) }
  }

  private func open() {
    file = try? FileDescriptor.open(path, O_RDONLY)
    identity = file == nil ? nil : FileIdentity(Path(path))
  }

  /// Of the file that is read now; nil if there is none.
  package var descriptor: Int32? { file?.raw }

  /// Hands over the lines that have come since, without their newlines. What is much is handed over by the next call.
  ///
  /// - Returns: whether another file is read now than before.
  @discardableResult
  package func read(_ take: (ArraySlice<UInt8>) -> Void) -> Bool {
    var isNew = false
    for _ in 0..<Self.mostReads {
      if file == nil {
        open()
        isNew = true
      }
      guard let number = file?.raw else { return false }
      // Looked at first: what is written to the old file after that is written before the new one is there.
      let isCurrent = FileIdentity(Path(path)) == identity
      guard case .bytes = InputChunk.read(number, into: &partial, limit: 64 << 10) else {
        if isCurrent { break }
        file = nil
        partial = []
        continue
      }
      var start = 0
      while let newline = partial[start...].firstIndex(of: UInt8(ascii: "\n")) {
        take(partial[start..<newline])
        start = newline + 1
      }
      partial.removeFirst(start)
      // No line that matters is as long.
      if partial.count > Self.lineLimit { partial = [] }
    }
    return isNew
  }

  private static let mostReads = 64
  private static let lineLimit = 16 << 10
}
