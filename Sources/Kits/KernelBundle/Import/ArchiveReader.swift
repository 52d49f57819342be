import CArchive
import Glibc
import Host

/// A tar archive within a file, read entry by entry by libarchive, whatever its compression.
///
/// The member is read into memory first: what follows it in the file is not for the decompressor to see.
///
/// Safe: the archive handle and the buffer that it reads are this value's alone, from `init` to `deinit`, and every call bounds what it writes.
@safe final class ArchiveReader {
  struct Entry {
    enum Kind {
      case file, directory
      case link(target: String)
      case other
    }
    /// Without a leading `./` or `/`.
    var path: String
    var kind: Kind
  }

  private let buffer: UnsafeMutableRawBufferPointer
  private let archive: OpaquePointer
  private let path: String

  /// - Parameter range: where in the file the archive is.
  init(_ path: String, _ range: Range<Int>) throws(KernelBundleError) {
    let file = try Files.open(path, O_RDONLY)
    // Only a lack of memory makes this nil.
    guard let archive = unsafe archive_read_new() else {
      throw .system(operation: .open, path: path, Errno(ENOMEM))
    }
    unsafe self.archive = unsafe archive
    unsafe buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: max(range.count, 1), alignment: 16)
    self.path = path
    // What dpkg-deb(1) makes, by name: "all" would run programs of the host for some formats.
    _ = unsafe archive_read_support_filter_gzip(archive)
    _ = unsafe archive_read_support_filter_bzip2(archive)
    _ = unsafe archive_read_support_filter_lzma(archive)
    _ = unsafe archive_read_support_filter_xz(archive)
    _ = unsafe archive_read_support_filter_zstd(archive)
    _ = unsafe archive_read_support_format_tar(archive)
    var position = 0
    while position < range.count {
      let count = unsafe pread(
        file.raw, buffer.baseAddress! + position, range.count - position, range.lowerBound + position)
      guard count > 0 else {
        if count < 0 { throw .system(operation: .read, path: path, .current) }
        throw .package(path: path, .damaged("the file ends early"))
      }
      position += count
    }
    guard unsafe archive_read_open_memory(archive, buffer.baseAddress, buffer.count) == ARCHIVE_OK else {
      throw failure()
    }
  }

  deinit {
    _ = unsafe archive_read_free(archive)
    unsafe buffer.deallocate()
  }

  private func failure() -> KernelBundleError {
    let message = unsafe archive_error_string(archive).map { unsafe String(cString: $0) } ?? "unreadable archive"
    return .package(path: path, .damaged(message))
  }

  /// The next entry, or nil at the end.
  func next() throws(KernelBundleError) -> Entry? {
    var entry: OpaquePointer?
    let status = unsafe archive_read_next_header(archive, &entry)
    if status == ARCHIVE_EOF { return nil }
    guard status == ARCHIVE_OK || status == ARCHIVE_WARN, let entry = unsafe entry,
      let name = unsafe archive_entry_pathname(entry)
    else { throw failure() }

    let components = unsafe String(cString: name).split(separator: "/").filter { $0 != "." }
    // A hard link's entry has no contents of its own; kernel packages have none.
    guard !components.contains(".."), unsafe archive_entry_hardlink(entry) == nil else {
      throw .package(path: path, .damaged("unexpected entry \(components.joined(separator: "/"))"))
    }
    let kind: Entry.Kind
    switch unsafe archive_entry_filetype(entry) {
    case S_IFREG: kind = .file
    case S_IFDIR: kind = .directory
    case S_IFLNK: kind = .link(target: unsafe archive_entry_symlink(entry).map { unsafe String(cString: $0) } ?? "")
    default: kind = .other
    }
    return Entry(path: components.joined(separator: "/"), kind: kind)
  }

  /// The current entry's contents.
  func contents(limit: Int = 1 << 30) throws(KernelBundleError) -> [UInt8] {
    var contents: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 18)
    while true {
      let count = unsafe buffer.withUnsafeMutableBytes { unsafe archive_read_data(archive, $0.baseAddress, $0.count) }
      if count == 0 { return contents }
      guard count > 0 else { throw failure() }
      contents.append(contentsOf: buffer[..<count])
      guard contents.count <= limit else { throw .package(path: path, .damaged("an entry is too large")) }
    }
  }
}
