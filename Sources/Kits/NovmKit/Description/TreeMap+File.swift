import Glibc

/// Maps of single files (docs/decisions/0038-mapped-files.md).
extension TreeMap {
  /// The same, marked if it is a file's. That is then of the name to which symbolic links lead, by which novmm finds what takes the
  /// file's place.
  package var located: TreeMap {
    guard Self.isFile(host) else { return self }
    var map = self
    map.isFile = true
    let name = host + [0]
    unsafe name.withUnsafeBytes { bytes in
      guard let path = unsafe realpath(bytes.baseAddress!.assumingMemoryBound(to: CChar.self), nil) else { return }
      map.host = unsafe Array(UnsafeRawBufferPointer(start: path, count: strlen(path)))
      unsafe free(path)
    }
    return map
  }

  /// Whether a path of the host's leads to a regular file.
  static func isFile(_ path: [UInt8]) -> Bool {
    var status = stat()
    let name = path + [0]
    return unsafe name.withUnsafeBytes { bytes in
      unsafe stat(bytes.baseAddress!.assumingMemoryBound(to: CChar.self), &status)
    } == 0 && status.st_mode & S_IFMT == S_IFREG
  }

  /// Whether its place is in a directory of the guest's, or that directory.
  func isBeneath(_ directory: [UInt8]) -> Bool {
    guest == directory || guest.starts(with: directory + [UInt8(ascii: "/")])
  }
}
