import AgentProtocol
import CGuest

/// From the initramfs to the tree.
struct RootFileSystem {
  let arguments: KernelArguments

  private static let mountPoint: Bytes = "/root"
  /// How long a disk may take to appear once its driver is there.
  private static let diskTime: Int64 = 2000

  /// Mounts the tree and makes it the root, `/dev`, `/proc` and `/sys` with it.
  func enter() throws(Failure) {
    guard !arguments.root.isEmpty else {
      throw Failure(kind: .rejected, message: "the kernel command line names no root=")
    }
    try mount()
    for path in ["/dev", "/proc", "/sys"] as [Bytes] {
      let target = Self.mountPoint + path
      do throws(SystemError) {
        try Files.makeDirectory(target)
        try Mount.move(path, to: target)
      } catch {
        Log.error("cannot mount " + path + " in the tree: " + error.text)
      }
    }
    do throws(SystemError) {
      // switch_root(8): the initramfs cannot be unmounted, so it is emptied and covered.
      Files.remove("/init")
      try Files.changeDirectory(Self.mountPoint)
      try Mount.move(".", to: "/")
      try Files.changeRoot(".")
      try Files.changeDirectory("/")
    } catch {
      throw Failure(.system, error, "cannot switch to the tree")
    }
  }

  private func mount() throws(Failure) {
    var failure = Failure(kind: .rejected, message: "rootfstype= is empty")
    for type in arguments.types {
      do throws(SystemError) {
        try Files.makeDirectory(Self.mountPoint)
        return try mount(type)
      } catch {
        let what = "cannot mount the root '" + arguments.root + "' as " + type
        failure =
          error.number == ENODEV
          ? Failure(kind: .rejected, errno: UInt32(ENODEV), message: what + ": the kernel has no such file system")
          : Failure(.rejected, error, what)
      }
    }
    throw failure
  }

  private func mount(_ type: Bytes) throws(SystemError) {
    let end = Clock.milliseconds + Self.diskTime
    while true {
      do throws(SystemError) {
        try Mount.attach(
          arguments.root, at: Self.mountPoint, type: type, flags: arguments.isReadOnly ? Int32(MS_RDONLY) : 0,
          data: arguments.options)
        if type == "virtiofs" { WriteBack.allowAll(at: Self.mountPoint) }
        return
      } catch {
        guard error == .noEntry, arguments.root.after("/dev/") != nil, Clock.milliseconds < end else { throw error }
        Clock.sleep(milliseconds: 20)
      }
    }
  }
}
