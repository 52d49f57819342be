import Host
import LittleEndian
import State

/// A machine's state as one file (docs/state-format.md, "The file"): RAM as it lies, to be mapped; the stream of sections; and an end
/// that says where that begins. What is cut short has no end.
struct StateFile: ~Copyable {
  /// "novmfile", u64 where the stream begins, which is the size of RAM, and u64 its length.
  private static let magic = Array("novmfile".utf8)
  private static let endSize: UInt64 = 24
  /// Bytes of a stream: a million files that the guest knows are a tenth of that.
  static let streamLimit = UInt64(StateFormat.sizeLimit)

  let descriptor: FileDescriptor

  /// Takes an empty regular file that can be written.
  ///
  /// - Throws: `EINVAL` for what is none, or is only appended to.
  init(writing descriptor: consuming FileDescriptor) throws(Errno) {
    guard try descriptor.isEmptyAndWritable() else { throw .invalid }
    self.descriptor = descriptor
  }

  /// Opens a file to be read.
  init(reading path: Path) throws(Errno) {
    // A pipe without a writer would not open.
    descriptor = try FileDescriptor.open(path, OpenFlags.read)
  }

  /// Writes all of it. A file that it does not fit into is empty again: it takes no room, and can be tried once more.
  func write(_ ram: GuestRAM, _ stream: [UInt8]) throws(Errno) {
    do throws(Errno) {
      try writeWhole(ram, stream)
    } catch {
      try? FileCalls.truncate(descriptor.raw, to: 0)
      throw error
    }
  }

  private func writeWhole(_ ram: GuestRAM, _ stream: [UInt8]) throws(Errno) {
    let size = try ram.write(to: descriptor.raw)
    var bytes = stream + Self.magic
    bytes.append(field: size)
    bytes.append(field: UInt64(stream.count))
    try writeAll(bytes, at: size)
  }

  private func writeAll(_ bytes: [UInt8], at start: UInt64) throws(Errno) {
    var done = 0
    while done < bytes.count {
      let rest = Array(bytes[done...])
      done += try FileCalls.write(descriptor.raw, at: start + UInt64(done), rest, count: rest.count)
    }
  }

  /// The stream, and the size of the RAM before it.
  ///
  /// - Throws: `notAState`, `cutShort` or `tooLarge`.
  func read() throws(StateError) -> (stream: [UInt8], memory: UInt64) {
    guard let count = try? descriptor.regularFileSize() else { throw .notAState }
    let size = UInt64(count)
    guard size >= Self.endSize, let end = bytes(at: size - Self.endSize, count: Int(Self.endSize)),
      end.starts(with: Self.magic)
    else { throw .notAState }
    let (start, length) = (end.field(UInt64.self, at: 8), end.field(UInt64.self, at: 16))
    guard length <= Self.streamLimit else { throw .tooLarge }
    guard start <= size, size - start == length + Self.endSize else { throw .cutShort }
    guard let stream = bytes(at: start, count: Int(length)) else { throw .cutShort }
    return (stream, start)
  }

  /// nil if there are not so many.
  private func bytes(at start: UInt64, count: Int) -> [UInt8]? {
    var bytes: [UInt8] = []
    while bytes.count < count {
      var piece = [UInt8](repeating: 0, count: min(count - bytes.count, 1 << 20))
      guard let read = try? FileCalls.read(descriptor.raw, at: start + UInt64(bytes.count), into: &piece), read > 0
      else { return nil }
      bytes += piece[..<read]
    }
    return bytes
  }
}
