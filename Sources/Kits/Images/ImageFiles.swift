import Glibc
import Host
import Packs

/// The files of an image on its way in, by the paths that its descriptions name them by.
package protocol ImageFiles {
  /// For errors.
  var source: String { get }
  /// The bytes of a file from its start; nil where there is none, or something else.
  func open(_ path: String) throws(ImageError) -> (any ByteSource)?
}

extension ImageFiles {
  /// A whole description.
  func document(_ path: String) throws(ImageError) -> [UInt8]? {
    guard let bytes = try open(path) else { return nil }
    return try bytes.all(limit: ImageJSON.limit, of: source)
  }

  /// The file that a digest names (OCI image layout, "blobs").
  func blob(_ digest: Digest) throws(ImageError) -> any ByteSource {
    guard let bytes = try open(Self.path(of: digest)) else {
      throw .malformed(source: source, "\(digest), which it names, is not in it")
    }
    return bytes
  }

  /// A description that a digest names, which it is compared with.
  func document(_ digest: Digest) throws(ImageError) -> [UInt8] {
    let bytes = try blob(digest).all(limit: ImageJSON.limit, of: source)
    guard Digest.of(bytes) == digest else { throw .digest(source: source, expected: digest) }
    return bytes
  }

  static func path(of digest: Digest) -> String { "blobs/sha256/\(digest.hexadecimal)" }
}

extension ByteSource {
  /// All that there is, which is to be no more than `limit` bytes.
  func all(limit: Int, of source: String) throws(ImageError) -> [UInt8] {
    var result: [UInt8] = []
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
    defer { unsafe buffer.deallocate() }
    do throws(PackError) {
      while true {
        let count = try unsafe read(into: buffer)
        if count == 0 { return result }
        unsafe result += UnsafeRawBufferPointer(rebasing: buffer[..<count])
        if result.count > limit { break }
      }
    } catch {
      throw .pack(error)
    }
    throw .malformed(source: source, "a description of more than \(limit >> 20) MiB")
  }
}

/// An image in a directory: an OCI image layout.
package struct ImageDirectory: ImageFiles {
  package let source: String
  private let directory: SharedFile

  package init(_ path: String, source: String) throws(ImageError) {
    self.source = source
    do throws(Errno) {
      directory = SharedFile(try FileDescriptor.open(path, OpenFlags.directory))
    } catch {
      throw .system(doing: "open", path: path, error)
    }
  }

  package func open(_ path: String) throws(ImageError) -> (any ByteSource)? {
    guard ImageArchive.isPlain(path) else { return nil }
    do throws(Errno) {
      // No link leads out, and nothing but a file is opened for reading.
      let name = Array(path.utf8) + [0]
      let found = try FileCalls.openBeneath(directory.file.raw, name.span, OpenFlags.path)
      guard try FileCalls.status(found.raw).isRegular else { return nil }
      return OwnedBytes(try FileCalls.reopen(found.raw, OpenFlags.read), path: Array("\(source)/\(path)".utf8))
    } catch {
      if error == .notFound || error == Errno(ENOTDIR) { return nil }
      throw .system(doing: "read", path: "\(source)/\(path)", error)
    }
  }
}

/// An image in a tar archive: an OCI image layout, or what `docker save` writes.
///
/// The archive is read once, from a file or a pipe. What could be of an image goes to one file without a name on the store's
/// disk, of which nothing is left however the command ends.
package struct ImageArchive: ImageFiles {
  package let source: String
  private let file: SharedFile
  private var members: [String: Range<UInt64>] = [:]
  /// Where `docker save` has one layer by several names.
  private var links: [String: String] = [:]

  /// More files than any image has.
  static let mostMembers = 10_000

  /// - Parameters:
  ///   - input: the archive, in any compression.
  ///   - store: has the disk.
  package init(_ input: ArchiveInput, source: String, store: PackStore) throws(ImageError) {
    self.source = source
    let path = Array(source.utf8)
    do throws(PackError) {
      file = SharedFile(try store.temporaryFile())
      let room = store.room
      var end: UInt64 = 0
      let reader = try TarReader(input, path: path)
      var buffer = [UInt8](repeating: 0, count: 1 << 18)
      while let header = try reader.next() {
        let name = Self.plain(header.path)
        guard let name, members.count + links.count < Self.mostMembers else { continue }
        if (header.symlink ?? header.hardLink ?? []).count > 4096 { continue }
        if let target = header.symlink, header.type == UInt32(S_IFLNK) {
          links[name] = Self.resolve(String(decoding: target, as: UTF8.self), beside: name)
          continue
        }
        if let target = header.hardLink {
          links[name] = Self.plain(target)
          continue
        }
        guard header.type == UInt32(S_IFREG) else { continue }
        let start = end
        while true {
          let count = try reader.read(into: &buffer)
          if count == 0 { break }
          guard end + UInt64(count) <= room else { throw .limit(source: path, path: header.path, .bytes(room)) }
          try Self.write(count == buffer.count ? buffer : Array(buffer[..<count]), to: file, path: path)
          end += UInt64(count)
        }
        members[name] = start..<end
      }
    } catch {
      throw .pack(error)
    }
  }

  package func open(_ path: String) throws(ImageError) -> (any ByteSource)? {
    var path = path
    // One link leads to a file, or not at all.
    if members[path] == nil, let target = links[path] { path = target }
    guard let range = members[path] else { return nil }
    return RangeBytes(file, range, path: Array("\(source)/\(path)".utf8))
  }

  static func write(_ bytes: [UInt8], to file: SharedFile, path: [UInt8]) throws(PackError) {
    do throws(Errno) {
      try file.file.writeAll(bytes)
    } catch {
      throw .system(operation: .write, path: path, error)
    }
  }

  /// A path that stays below its start.
  static func isPlain(_ path: String) -> Bool {
    !path.isEmpty && path.utf8.count < 1024 && !path.utf8.contains(0)
      && path.split(separator: "/", omittingEmptySubsequences: false).allSatisfy { !["", ".", ".."].contains($0) }
  }

  private static func plain(_ bytes: [UInt8]) -> String? {
    guard var path = String(validating: bytes, as: UTF8.self) else { return nil }
    while path.hasPrefix("./") { path.removeFirst(2) }
    return isPlain(path) ? path : nil
  }

  private static func resolve(_ target: String, beside name: String) -> String? {
    var parts = name.split(separator: "/").dropLast().map(String.init)
    for part in target.split(separator: "/") {
      if part == ".." { if parts.popLast() == nil { return nil } } else if part != "." { parts.append(String(part)) }
    }
    return parts.joined(separator: "/")
  }
}

/// A descriptor that several have.
package final class SharedFile: Sendable {
  package let file: FileDescriptor

  package init(_ file: consuming FileDescriptor) { self.file = file }
}

/// The bytes of a file that nobody else reads.
private final class OwnedBytes: ByteSource {
  private let file: FileDescriptor
  private let bytes: FileBytes

  init(_ file: consuming FileDescriptor, path: [UInt8]) {
    bytes = FileBytes(file.raw, path: path)
    self.file = file
  }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws(PackError) -> Int { try unsafe bytes.read(into: buffer) }
}

/// A piece of a file.
final class RangeBytes: ByteSource {
  private let file: SharedFile
  private var range: Range<UInt64>
  private let path: [UInt8]

  init(_ file: SharedFile, _ range: Range<UInt64>, path: [UInt8]) {
    self.file = file
    self.range = range
    self.path = path
  }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws(PackError) -> Int {
    let count = min(buffer.count, range.count)
    if count == 0 { return 0 }
    let got = unsafe pread(file.file.raw, buffer.baseAddress, count, off_t(range.lowerBound))
    guard got > 0 else { throw .system(operation: .read, path: path, got < 0 ? .current : .inputOutput) }
    range = (range.lowerBound + UInt64(got))..<range.upperBound
    return got
  }
}
