import AgentProtocol
import Host
import Packs

/// The files of a tar archive, in any dialect and compression that packs are imported from. They lie below the destination,
/// as they lie in the archive.
package final class TarFiles: FileSource {
  private let descriptor: Int32
  private let path: [UInt8]

  /// - Parameters:
  ///   - descriptor: an open file or pipe; stays the caller's.
  ///   - path: for errors.
  package init(_ descriptor: Int32, path: String) {
    self.descriptor = descriptor
    self.path = Array(path.utf8)
  }

  package func send(to stream: FileStreamWriter) throws(NovmError) {
    try stream.begin(FileRecord(.directory, mode: 0o755))
    do throws(PackError) {
      let input = ArchiveInput(FileBytes(descriptor, path: path))
      let reader = try TarReader(input, path: path)
      var buffer = [UInt8](repeating: 0, count: 64 << 10)
      while !stream.isUnread, let header = try reader.next() {
        guard let record = try record(header) else { continue }
        do throws(NovmError) { try stream.begin(record) } catch {
          throw .entry(archive: path, path: header.path, .badName)
        }
        var rest = record.size
        while rest > 0 {
          let count = try reader.read(into: &buffer)
          if count == 0 { throw .archive(path: path, "ends within a file") }
          let taken = Int(min(UInt64(count), rest))
          stream.write(buffer[..<taken])
          rest -= UInt64(taken)
        }
      }
    } catch {
      throw .pack(error)
    }
  }

  /// nil for the archive's own root, and for what is no file.
  private func record(_ header: TarReader.Header) throws(PackError) -> FileRecord? {
    let name = try plain(header.path, header)
    if name.isEmpty { return nil }
    var record = FileRecord(.file, path: name, mode: header.mode & 0o7777)
    record.uid = header.uid
    record.gid = header.gid
    record.seconds = header.modified.seconds
    record.nanoseconds = header.modified.nanoseconds
    if let target = header.hardLink {
      record.kind = .link
      record.target = try plain(target, header)
      return record
    }
    switch header.type {
    case FileType.regular: record.size = header.size
    case FileType.directory: record.kind = .directory
    case FileType.symlink:
      record.kind = .symlink
      record.target = header.symlink ?? []
    case FileType.fifo: record.kind = .fifo
    case FileType.characterDevice, FileType.blockDevice:
      record.kind = header.type == FileType.blockDevice ? .blockDevice : .characterDevice
      record.major = header.major
      record.minor = header.minor
    default: return nil
    }
    return record
  }

  /// Without what does not matter; a path that climbs is refused.
  private func plain(_ path: [UInt8], _ header: TarReader.Header) throws(PackError) -> [UInt8] {
    let names = path.split(separator: UInt8(ascii: "/")).filter { $0 != [0x2e] }
    if path.first == UInt8(ascii: "/") { throw .entry(archive: self.path, path: header.path, .absolute) }
    if names.contains([0x2e, 0x2e]) { throw .entry(archive: self.path, path: header.path, .climbs) }
    return Array(names.joined(separator: [UInt8(ascii: "/")]))
  }
}

/// Writes the files of a transfer as a tar archive.
package final class TarSink: FileSink {
  private let writer: TarWriter

  /// - Parameters:
  ///   - descriptor: an open file or pipe; stays the caller's.
  ///   - path: for errors.
  package init(_ descriptor: Int32, path: String) throws(NovmError) {
    do throws(PackError) {
      writer = try TarWriter(
        ArchiveOutput(file: descriptor), compression: .none, keepsNanoseconds: true, path: Array(path.utf8))
    } catch {
      throw .pack(error)
    }
  }

  package func begin(_ record: FileRecord) throws(NovmError) {
    var name = record.path.isEmpty ? [UInt8(ascii: ".")] : record.path
    var entry = PackEntry(
      path: record.path, kind: .fifo, mode: record.mode, uid: record.uid, gid: record.gid,
      modified: FileTime(seconds: record.seconds, nanoseconds: record.nanoseconds))
    switch record.kind {
    case .directory:
      entry.kind = .directory(isOpaque: false)
      name.append(UInt8(ascii: "/"))
    case .file: entry.kind = .file(size: record.size, digest: Digest.of([]))
    case .symlink: entry.kind = .symlink(target: record.target)
    case .fifo: break
    case .characterDevice, .blockDevice:
      entry.kind = .device(isBlock: record.kind == .blockDevice, major: record.major, minor: record.minor)
    case .link: entry.kind = .link(to: record.target)
    case .end: return
    }
    do throws(PackError) { try writer.begin(entry, as: name, attributes: []) } catch { throw .pack(error) }
  }

  package func write(_ data: ArraySlice<UInt8>) throws(NovmError) {
    do throws(PackError) { try writer.write(Array(data), count: data.count) } catch { throw .pack(error) }
  }

  package func end() throws(NovmError) {
    do throws(PackError) { try writer.finish() } catch { throw .pack(error) }
  }
}
