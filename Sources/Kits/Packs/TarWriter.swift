import CArchive
import Glibc
import Host

/// Writes a tar archive in the pax interchange format (POSIX.1-2017, pax), by libarchive.
///
/// Safe: the handle is this value's alone, from `init` to `deinit`, the output outlives it, and what it is given is copied.
@safe package final class TarWriter {
  private let archive: OpaquePointer
  private let output: ArchiveOutput
  private let path: [UInt8]

  /// - Parameters:
  ///   - keepsNanoseconds: a header of its own for each entry, with the whole time.
  ///   - path: for errors.
  package init(
    _ output: ArchiveOutput, compression: ArchiveExport.Compression, keepsNanoseconds: Bool, path: [UInt8]
  ) throws(PackError) {
    self.output = output
    self.path = path
    _ = unsafe setlocale(LC_CTYPE, "C.UTF-8")
    guard let archive = unsafe archive_write_new() else {
      throw .system(operation: .create, path: path, .outOfMemory)
    }
    unsafe self.archive = unsafe archive
    _ =
      unsafe keepsNanoseconds
      ? archive_write_set_format_pax(archive) : archive_write_set_format_pax_restricted(archive)
    // As GNU tar, Docker and containerd write and read them.
    _ = unsafe archive_write_set_format_option(archive, "pax", "xattrheader", "SCHILY")
    switch compression {
    case .none: _ = unsafe archive_write_add_filter_none(archive)
    case .gzip:
      _ = unsafe archive_write_add_filter_gzip(archive)
      // The same pack, the same bytes.
      _ = unsafe archive_write_set_filter_option(archive, "gzip", "timestamp", nil)
    case .zstd: _ = unsafe archive_write_add_filter_zstd(archive)
    }
    _ = unsafe archive_write_set_bytes_in_last_block(archive, 1)
    let client = unsafe Unmanaged.passUnretained(output).toOpaque()
    let status = unsafe archive_write_open(
      archive, client, nil,
      { _, client, bytes, count in
        guard let client = unsafe client else { return -1 }
        return unsafe Unmanaged<ArchiveOutput>.fromOpaque(client).takeUnretainedValue()
          .write(UnsafeRawBufferPointer(start: bytes, count: count))
      }, nil)
    guard status == ARCHIVE_OK else { throw failure() }
  }

  deinit { _ = unsafe archive_write_free(archive) }

  private func failure() -> PackError {
    if let error = output.error { return .system(operation: .write, path: path, error) }
    let text = unsafe archive_error_string(archive).map { unsafe String(cString: $0) } ?? "cannot be written"
    return .archive(path: path, text)
  }

  /// Begins an entry.
  ///
  /// - Parameters:
  ///   - name: where it goes.
  ///   - attributes: written as they are.
  package func begin(_ entry: PackEntry, as name: [UInt8], attributes: [PackEntry.Attribute]) throws(PackError) {
    guard let header = unsafe archive_entry_new() else { throw .system(operation: .write, path: path, .outOfMemory) }
    defer { unsafe archive_entry_free(header) }
    unsafe Self.withText(name) { unsafe archive_entry_set_pathname(header, $0) }
    unsafe archive_entry_set_perm(header, entry.mode)
    unsafe archive_entry_set_uid(header, la_int64_t(entry.uid))
    unsafe archive_entry_set_gid(header, la_int64_t(entry.gid))
    unsafe archive_entry_set_mtime(header, time_t(entry.modified.seconds), Int(entry.modified.nanoseconds))
    unsafe archive_entry_set_size(header, 0)
    var type = FileType.regular
    switch entry.kind {
    case .directory: type = FileType.directory
    case .file(let size, _): unsafe archive_entry_set_size(header, la_int64_t(clamping: size))
    case .link(let target): unsafe Self.withText(target) { unsafe archive_entry_set_hardlink(header, $0) }
    case .symlink(let target):
      type = FileType.symlink
      unsafe Self.withText(target) { unsafe archive_entry_set_symlink(header, $0) }
    case .fifo: type = FileType.fifo
    case .device(let isBlock, let major, let minor):
      type = isBlock ? FileType.blockDevice : FileType.characterDevice
      unsafe archive_entry_set_rdevmajor(header, dev_t(major))
      unsafe archive_entry_set_rdevminor(header, dev_t(minor))
    case .whiteout:
      type = FileType.characterDevice
      unsafe archive_entry_set_rdevmajor(header, 0)
      unsafe archive_entry_set_rdevminor(header, 0)
    }
    unsafe archive_entry_set_filetype(header, type)
    for attribute in attributes {
      unsafe Self.withText(attribute.name) { name in
        unsafe attribute.value.withUnsafeBytes {
          unsafe archive_entry_xattr_add_entry(header, name, $0.baseAddress, $0.count)
        }
      }
    }
    // Where a name is not text in this locale, libarchive takes an ENOMEM that anybody left here for its own.
    errno = 0
    let status = unsafe archive_write_header(archive, header)
    guard status == ARCHIVE_OK || status == ARCHIVE_WARN else { throw failure() }
  }

  /// Data of the entry that was begun.
  package func write(_ buffer: [UInt8], count: Int) throws(PackError) {
    let written = unsafe buffer.withUnsafeBytes { unsafe archive_write_data(archive, $0.baseAddress, count) }
    guard written == count else { throw failure() }
  }

  package func finish() throws(PackError) {
    guard unsafe archive_write_close(archive) == ARCHIVE_OK else { throw failure() }
  }

  private static func withText(_ bytes: [UInt8], _ body: (UnsafePointer<CChar>) -> Void) {
    // Never null: there is at least the NUL.
    unsafe (bytes + [0]).withUnsafeBytes { unsafe body($0.assumingMemoryBound(to: CChar.self).baseAddress!) }
  }
}
