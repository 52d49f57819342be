import AgentProtocol
import Host

/// Where the files of a transfer go. What it is given comes from a guest, and each record was checked by the decoder alone.
package protocol FileSink: AnyObject {
  /// The next file; the one before it is complete.
  func begin(_ record: FileRecord) throws(NovmError)
  /// Data of the file that was begun, never more than its record says.
  func write(_ data: ArraySlice<UInt8>) throws(NovmError)
  /// All are complete.
  func end() throws(NovmError)
}

/// Turns the agent's standard output into files.
final class FileStreamOutput: ImmediateOutput {
  private let sink: any FileSink
  private let progress: (UInt64) -> Void
  private var decoder = FileStreamDecoder()
  private var count: UInt64 = 0

  /// - Parameter progress: called with the number of bytes so far.
  init(_ sink: any FileSink, progress: @escaping (UInt64) -> Void = { _ in }) {
    self.sink = sink
    self.progress = progress
  }

  /// Whether the stream came to its end.
  var isComplete: Bool { decoder.isAtEnd }

  func write(_ bytes: ArraySlice<UInt8>) throws(NovmError) {
    let bytes = Array(bytes)
    count += UInt64(bytes.count)
    progress(count)
    var offset = 0
    while let piece = try next(bytes, &offset) {
      switch piece {
      case .record(let record): try sink.begin(record)
      case .data(let range): try sink.write(bytes[range])
      case .end: try sink.end()
      }
    }
  }

  private func next(_ bytes: [UInt8], _ offset: inout Int) throws(NovmError) -> FileStreamDecoder.Piece? {
    do throws(FrameError) { return try decoder.next(bytes, from: &offset) } catch { throw .protocolViolation(error) }
  }
}
