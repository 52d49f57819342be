import CGuest

/// How much a file system may have waiting to be written back.
enum WriteBack {
  /// Lets the virtio-fs mounted at `path` have as much as any disk. Linux gives FUSE 1 % of that, for fear of servers that do
  /// not answer, and then puts who writes a large file to sleep again and again.
  static func allowAll(at path: Bytes) {
    var status = stat()
    guard unsafe path.withCString({ unsafe stat($0, &status) }) == 0 else { return }
    // A device of no driver: major number 0.
    let minor = Int(status.st_dev & 0xff | status.st_dev >> 12 & ~0xff)
    let setting = "/sys/class/bdi/0:" + Bytes(decimal: minor) + "/max_ratio"
    do throws(SystemError) {
      _ = try Descriptor.open(setting, O_WRONLY).write("100")
    } catch {
      // It works without, only slower.
      Log.error(setting + ": " + error.text)
    }
  }
}
