import CArchive
import Glibc
import Host

/// A tar archive, in any dialect and compression that libarchive itself reads.
///
/// Safe: the handle is this value's alone, from `init` to `deinit`, the input outlives it, and every call bounds what it
/// writes.
@safe package final class TarReader {
  /// A header, in bytes as they stand in the archive.
  package struct Header {
    package var path: [UInt8]
    package var type: UInt32
    package var hardLink: [UInt8]?
    package var symlink: [UInt8]?
    package var mode: UInt32
    package var uid: UInt32
    package var gid: UInt32
    package var size: UInt64
    package var modified: FileTime
    package var major: UInt32
    package var minor: UInt32
    package var attributes: [PackEntry.Attribute]
  }

  package enum Format: Sendable {
    case tar
    /// Anything, which is one entry, uncompressed.
    case raw
  }

  private let archive: OpaquePointer
  private let input: ArchiveInput
  private let path: [UInt8]

  /// Names in pax headers are UTF-8: to another character set libarchive would convert them.
  package static func useUTF8() { _ = unsafe setlocale(LC_CTYPE, "C.UTF-8") }

  /// - Parameter path: for errors.
  package init(_ input: ArchiveInput, path: [UInt8], format: Format = .tar) throws(PackError) {
    self.input = input
    self.path = path
    Self.useUTF8()
    guard let archive = unsafe archive_read_new() else {
      throw .system(operation: .open, path: path, .outOfMemory)
    }
    unsafe self.archive = unsafe archive
    // By name: "all" would run programs of the host for some formats.
    unsafe archive_read_support_filter_gzip(archive)
    unsafe archive_read_support_filter_bzip2(archive)
    unsafe archive_read_support_filter_xz(archive)
    unsafe archive_read_support_filter_zstd(archive)
    unsafe archive_read_support_filter_lz4(archive)
    switch format {
    case .tar: unsafe archive_read_support_format_tar(archive)
    case .raw:
      unsafe archive_read_support_format_raw(archive)
      unsafe archive_read_support_format_empty(archive)
    }
    let client = unsafe Unmanaged.passUnretained(input).toOpaque()
    let status = unsafe archive_read_open(
      archive, client, nil,
      { _, client, place in
        guard let client = unsafe client else { return -1 }
        return unsafe Unmanaged<ArchiveInput>.fromOpaque(client).takeUnretainedValue().next(place)
      }, nil)
    guard status == ARCHIVE_OK else { throw failure() }
  }

  deinit { _ = unsafe archive_read_free(archive) }

  private func failure() -> PackError {
    if let error = input.error { return error }
    guard let text = unsafe archive_error_string(archive) else { return .archive(path: path, "cannot be read") }
    let message = unsafe String(cString: text)
    if message == "Unrecognized archive format" { return .archive(path: path, "is no tar archive") }
    return .archive(path: path, "is damaged: \(message)")
  }

  /// The next header, or nil at the end.
  package func next() throws(PackError) -> Header? {
    var entry: OpaquePointer?
    let status = unsafe archive_read_next_header(archive, &entry)
    if status == ARCHIVE_EOF { return nil }
    guard status == ARCHIVE_OK || status == ARCHIVE_WARN, let entry = unsafe entry else { throw failure() }
    guard let name = unsafe Self.bytes(archive_entry_pathname(entry)) else {
      throw .entry(archive: path, path: Array("(unnamed)".utf8), .badName)
    }
    var header = Header(
      path: name, type: unsafe UInt32(archive_entry_filetype(entry)),
      hardLink: unsafe Self.bytes(archive_entry_hardlink(entry)),
      symlink: unsafe Self.bytes(archive_entry_symlink(entry)), mode: unsafe UInt32(archive_entry_perm(entry)),
      uid: UInt32(truncatingIfNeeded: unsafe archive_entry_uid(entry)),
      gid: UInt32(truncatingIfNeeded: unsafe archive_entry_gid(entry)),
      size: UInt64(max(0, unsafe archive_entry_size(entry))),
      modified: FileTime(
        seconds: Int64(unsafe archive_entry_mtime(entry)),
        nanoseconds: UInt32(clamping: min(999_999_999, unsafe archive_entry_mtime_nsec(entry)))),
      major: UInt32(truncatingIfNeeded: unsafe archive_entry_rdevmajor(entry)),
      minor: UInt32(truncatingIfNeeded: unsafe archive_entry_rdevminor(entry)), attributes: [])
    _ = unsafe archive_entry_xattr_reset(entry)
    while true {
      var name: UnsafePointer<CChar>?
      var value: UnsafeRawPointer?
      var size = 0
      guard unsafe archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK,
        let name = unsafe Self.bytes(name)
      else { break }
      header.attributes.append(
        .init(name: name, value: unsafe [UInt8](UnsafeRawBufferPointer(start: value, count: value == nil ? 0 : size))))
    }
    return header
  }

  /// Reads the current entry's data; 0 at the end.
  package func read(into buffer: inout [UInt8]) throws(PackError) -> Int {
    let count = unsafe buffer.withUnsafeMutableBytes { unsafe archive_read_data(archive, $0.baseAddress, $0.count) }
    guard count >= 0 else { throw failure() }
    return count
  }

  private static func bytes(_ text: UnsafePointer<CChar>?) -> [UInt8]? {
    guard let text = unsafe text else { return nil }
    return unsafe [UInt8](UnsafeRawBufferPointer(start: text, count: strlen(text)))
  }
}
