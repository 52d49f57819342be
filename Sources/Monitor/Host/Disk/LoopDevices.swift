import Glibc

/// The host's loop devices (losetup(8)): they read and write the files behind them, which no lock tells of.
struct LoopDevices {
  /// sysfs's directory of block devices.
  var directory: Path = "/sys/block"

  /// The first that is attached to a file other than for reading along with us.
  ///
  /// One whose file this process cannot reach by its path, such as in another mount namespace, is not seen.
  ///
  /// - Parameters:
  ///   - file: of a regular file or a block device.
  ///   - isReadOnly: we only read it.
  /// - Returns: its name in /dev.
  func user(of file: FileStatus, isReadOnly: Bool) -> String? {
    guard let listing = try? FileDescriptor.open(directory, O_RDONLY | O_DIRECTORY),
      let names = try? FileCalls.names(listing.raw)
    else { return nil }
    return names.lazy.filter { $0.starts(with: "loop".utf8) }.first { name in
      // Only one that is attached has this.
      guard let path = text(of: name, "loop/backing_file"),
        let behind = try? FileCalls.status(AT_FDCWD, (path + [0]).span), behind.isSame(as: file)
      else { return false }
      return !isReadOnly || text(of: name, "ro") != [UInt8(ascii: "1")]
    }.map { String(printable: $0) }
  }

  /// An attribute of a device, without its newline.
  private func text(of device: [UInt8], _ attribute: String) -> [UInt8]? {
    let path = Path(directory.bytes + [UInt8(ascii: "/")] + device + Array("/\(attribute)".utf8))
    var buffer = [UInt8](repeating: 0, count: 4097)
    guard let file = try? FileDescriptor.open(path, O_RDONLY),
      let count = try? FileCalls.read(file.raw, at: 0, into: &buffer), count > 0
    else { return nil }
    return Array(buffer[..<(buffer[count - 1] == UInt8(ascii: "\n") ? count - 1 : count)])
  }
}

extension FileStatus {
  /// Whether two names lead to the same bytes: of one file, or of one block device.
  fileprivate func isSame(as other: FileStatus) -> Bool {
    guard mode & FileType.mask == other.mode & FileType.mask else { return false }
    return mode & FileType.mask == FileType.blockDevice
      ? (specialMajor, specialMinor) == (other.specialMajor, other.specialMinor)
      : (device, inode) == (other.device, other.inode)
  }
}
