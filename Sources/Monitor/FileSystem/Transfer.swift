import FUSE
import Glibc
internal import GuestMemory
import Host

/// Moves file data between a host file and guest memory in place, with no buffer between them.
enum Transfer {
  /// Reads from a file into the reply.
  static func read(_ file: SharedDescriptor, _ offset: UInt64, _ count: Int, to reply: inout ReplyWriter) throws(Errno)
  {
    var left = count
    var position = offset
    while left > 0 {
      guard let start = Int64(exactly: position) else { throw .invalid }
      var vectors = IOVectors()
      // Guest memory outlives the request.
      reply.pieces(left) { unsafe vectors.append($0.hostBytes) }
      if vectors.byteCount == 0 { return }
      let read = try vectors.read(from: file.raw, at: start)
      reply.filled(read)
      left -= read
      position += UInt64(read)
      // Only nothing means the end: 9p for one gives what fits the first piece, and the guest would take the rest for a hole.
      if read == 0 { return }
    }
  }

  /// Writes the next `count` bytes of a request to a file; returns how many went.
  ///
  /// - Parameter flags: O_* of the guest's file: with O_SYNC or O_DSYNC what was written is on disk before the reply.
  static func write(
    _ file: SharedDescriptor, _ offset: UInt64, _ count: Int, from request: inout RequestReader, flags: UInt32
  ) throws(Errno) -> Int {
    if file.appendsOnly { return try append(file, offset, count, from: &request, flags: flags) }
    return try put(file, offset, count, from: &request, flags: flags)
  }

  /// Of what is written only what lies behind the end of the file, to which the guest's kernel, where it holds writes back, adds
  /// what is before it in the page. It may send several requests at once, which must not come in another order.
  private static func append(
    _ file: SharedDescriptor, _ offset: UInt64, _ count: Int, from request: inout RequestReader, flags: UInt32
  ) throws(Errno) -> Int {
    for _ in 0..<appendPatience {
      let done = try appending.withLock { () throws(Errno) -> Int? in
        let length = try FileCalls.status(file.raw).length
        guard length >= offset else { return nil }
        let known = Int(min(length - offset, UInt64(count)))
        guard known < count else { throw .notPermitted }
        do throws(MessageError) { try request.skip(known) } catch { throw .invalid }
        return known + (try put(file, length, count - known, from: &request, flags: flags))
      }
      if let done { return done }
      usleep(1000)
    }
    throw .inputOutput
  }

  private static let appending = Lock()
  /// How often, a millisecond apart, is looked for what comes before.
  private static let appendPatience = 1000

  private static func put(
    _ file: SharedDescriptor, _ offset: UInt64, _ count: Int, from request: inout RequestReader, flags: UInt32
  ) throws(Errno) -> Int {
    var done = 0
    while done < count {
      guard let start = Int64(exactly: offset &+ UInt64(done)), start >= 0 else { throw .fileTooLarge }
      var vectors = IOVectors()
      var batch = request
      do throws(MessageError) {
        // Guest memory outlives the request.
        try batch.pieces(count - done) { unsafe vectors.append($0.hostBytes) }
      } catch {
        throw .invalid
      }
      let written: Int
      do throws(Errno) {
        written = try vectors.write(
          to: file.raw, at: start, synchronous: WriteFlags(openFlags: Int32(bitPattern: flags)))
      } catch {
        if done > 0 { return done }
        throw error
      }
      done += written
      if written == 0 { return done }
      do throws(MessageError) { try request.skip(written) } catch { throw .invalid }
    }
    return done
  }
}
