import AgentProtocol
import Glibc
import Host

/// Where the files of a transfer come from.
package protocol FileSource: AnyObject {
  /// Writes a record for each, and its data.
  func send(to stream: FileStreamWriter) throws(NovmError)
}

/// The records of a transfer, on their way into a pipe that blocks.
package final class FileStreamWriter {
  private let pipe: Int32
  private let progress: (UInt64) -> Void
  private var count: UInt64 = 0
  private var buffer: [UInt8] = []
  /// The reader has gone, for a reason of its own: the rest is for nobody.
  private(set) var isUnread = false

  init(_ pipe: Int32, progress: @escaping (UInt64) -> Void) {
    self.pipe = pipe
    self.progress = progress
  }

  package func begin(_ record: FileRecord) throws(NovmError) {
    do throws(FrameError) { try record.encode(into: &buffer) } catch { throw .unfitFile(record.path) }
    if buffer.count >= Self.bufferSize { flush() }
  }

  package func write(_ data: ArraySlice<UInt8>) {
    buffer += data
    if buffer.count >= Self.bufferSize { flush() }
  }

  func flush() {
    var offset = 0
    while offset < buffer.count, !isUnread {
      let written = unsafe buffer.withUnsafeBytes {
        unsafe Glibc.write(pipe, $0.baseAddress! + offset, $0.count - offset)
      }
      if written >= 0 {
        offset += written
      } else if Errno.current != .interrupted {
        isUnread = true
      }
    }
    count += UInt64(buffer.count)
    buffer.removeAll(keepingCapacity: true)
    progress(count)
  }

  private static let bufferSize = 64 << 10
}

/// Sends files into a pipe, on a thread of its own.
///
/// Unchecked: `failure` is written by the thread and read once that has been joined.
final class FilePump: @unchecked Sendable {
  private let source: any FileSource
  private let progress: (UInt64) -> Void
  private var reader: FileDescriptor?
  private var writer: FileDescriptor?
  private var thread: Thread?
  private var failure: NovmError?

  /// - Parameter progress: called on the thread, with the number of bytes so far.
  init(_ source: any FileSource, progress: @escaping (UInt64) -> Void) throws(NovmError) {
    self.source = source
    self.progress = progress
    let pipe = try Program.pipe()
    let (reader, writer) = pipe.split()
    self.reader = FileDescriptor(owning: reader)
    self.writer = FileDescriptor(owning: writer)
    do { thread = try Thread("files") { [self] in run() } } catch { throw .call("pthread_create", error) }
  }

  /// For the session to read from.
  var descriptor: Int32 { reader?.raw ?? -1 }

  private func run() {
    // Signals are the main thread's; and a pipe that nobody reads is an error, not the end.
    var all = sigset_t()
    unsafe sigfillset(&all)
    unsafe pthread_sigmask(SIG_BLOCK, &all, nil)
    let stream = FileStreamWriter(writer?.raw ?? -1, progress: progress)
    do throws(NovmError) {
      try source.send(to: stream)
      try stream.begin(FileRecord(.end))
    } catch {
      failure = error
    }
    stream.flush()
    writer = nil
  }

  /// Waits for the end of it, which comes at once if nobody reads the rest.
  func finish() throws(NovmError) {
    reader = nil
    thread?.join()
    thread = nil
    if let failure { throw failure }
  }
}
