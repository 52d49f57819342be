import CGuest

/// `stamp FLAG SECONDS PATH...`: has the kernel tell programs that watch these files, or what they are in, that they have changed
/// (inotify(7)): IN_MODIFY, or with `-a` IN_ATTRIB. For files of a share, whose server changes nothing by it.
enum Stamps {
  /// - Parameter seconds: before 1970, the time by which the server knows a stamp.
  static func set(_ path: Bytes, bothTimes: Bool, seconds: UInt32) {
    let file = unsafe path.withCString { path in
      // Fails, as `/proc` is another file system; but not before the name was looked up anew, whatever is remembered of it.
      _ = unsafe link("/proc", path)
      return unsafe cguest_open(path, cguest_O_PATH | O_NOFOLLOW | O_CLOEXEC, 0)
    }
    guard file >= 0 else { return }
    if cguest_is_fuse(file) { _ = cguest_set_times(file, bothTimes, -Int64(seconds)) }
    close(file)
  }
}
