import Glibc
import Host

/// What several have to say, in turn, on its way into a command's standard input: a pipe, which the loop never waits for.
final class PipeFeed: PollSource {
  private struct Piece {
    var bytes: [UInt8]
    var owner: AnyObject
    var whenWritten: () throws(NovmError) -> Void
  }

  private let pipe: Pipe
  private var queue: [Piece] = []
  private var offset = 0
  /// Bytes that wait.
  private(set) var backlog = 0

  init() throws(NovmError) {
    pipe = try Program.pipe()
    do throws(Errno) {
      try pipe.reader.setNonblocking()
      try pipe.writer.setNonblocking()
    } catch {
      throw .call("fcntl", error)
    }
  }

  /// Where the command's input comes from; it does not end while this lives.
  var descriptor: Int32 { pipe.reader.raw }

  func write(
    _ bytes: [UInt8], of owner: AnyObject,
    whenWritten: @escaping () throws(NovmError) -> Void = { () throws(NovmError) in }
  ) throws(NovmError) {
    queue.append(Piece(bytes: bytes, owner: owner, whenWritten: whenWritten))
    backlog += bytes.count
    try ready(POLLOUT)
  }

  func forget(_ owner: AnyObject) {
    // What it said first is in the command's hands in part: that is let through.
    queue = queue.prefix(1) + queue.dropFirst().filter { $0.owner !== owner }
    backlog = queue.reduce(-offset) { $0 + $1.bytes.count }
  }

  var interest: PollInterest? { queue.isEmpty ? nil : PollInterest(pipe.writer.raw, POLLOUT) }

  func ready(_ events: Int32) throws(NovmError) {
    while let piece = queue.first {
      guard let count = try? pipe.writer.write(piece.bytes, from: offset) else { return }
      offset += count
      backlog -= count
      guard offset == piece.bytes.count else { continue }
      queue.removeFirst()
      offset = 0
      try piece.whenWritten()
    }
  }
}
