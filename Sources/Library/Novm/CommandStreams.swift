import CLinux
import Glibc
import Host
import NovmKit

/// What a command of the library's writes, kept for whoever asks.
final class CollectedOutput: ImmediateOutput, @unchecked Sendable {
  private let lock = Lock()
  /// nil if nobody wants any of it.
  private let limit: Int?
  private var bytes: [UInt8] = []
  /// So many of them were taken.
  private var start = 0
  private var wasCut = false

  init(limit: Int?) { self.limit = limit.map { max(0, $0) } }

  var contents: [UInt8] { lock.withLock { Array(bytes[start...]) } }
  var isTruncated: Bool { lock.withLock { wasCut } }

  /// Takes the first of what there is away.
  func take(_ count: Int) -> [UInt8] {
    lock.withLock {
      let taken = Array(bytes[start...].prefix(max(0, count)))
      start += taken.count
      // Now and then, so that each byte is moved once in the mean.
      if start > bytes.count / 2 {
        bytes.removeFirst(start)
        start = 0
      }
      return taken
    }
  }

  func write(_ more: ArraySlice<UInt8>) {
    lock.withLock {
      // What comes behind a gap would look as if there were none.
      guard let limit, !wasCut else { return }
      let room = max(0, limit - (bytes.count - start))
      bytes += more.prefix(room)
      wasCut = more.count > room
    }
  }
}

/// A descriptor that the library keeps for a command.
final class StreamCopy: Sendable {
  private let file: FileDescriptor

  var raw: Int32 { file.raw }

  init(owning raw: Int32) { file = FileDescriptor(owning: raw) }

  /// A copy of the caller's, so that they may close theirs.
  init(of descriptor: Int32, _ name: String) throws(Failure) {
    do { file = try FileDescriptor.duplicate(of: descriptor) } catch {
      throw Failure(
        .argument, "\(name): descriptor \(descriptor): \(error.description)", about: name, number: error.code)
    }
  }

  /// A file of no directory with these bytes, to be read from its start.
  init(_ bytes: [UInt8]) throws(Failure) {
    do throws(Errno) {
      let file = FileDescriptor(owning: try checked(unsafe clinux_memory_file("novm-input")))
      try file.writeAll(bytes)
      try checked(lseek(file.raw, 0, SEEK_SET))
      self.file = file
    } catch {
      throw Failure(.system, "no memory for the command's input: \(error.description)", number: error.code)
    }
  }
}
