import CLinux
import Glibc
import Host

/// A control group of one machine (cgroups(7), version 2): its monitor enters it before it does anything else, and it goes with
/// the machine.
///
/// It is `novm-ID`, locked (flock(2)) for as long as its machine's novm lives; what is not locked was left behind by one that was
/// killed, and goes when the next is made beside it.
final class ControlGroup {
  /// What it holds its processes to.
  struct Limits: Equatable {
    /// In bytes, what the host's kernel caches for them included.
    var memory: UInt64
    var processors: Int
    var processes: Int
    /// Bytes a second, read and written each, of each of the host's disks that there is as it is made.
    var transfers: UInt64?
  }

  private let path: String
  private let lock: FileDescriptor
  /// Where a process enters by writing "0".
  let entrance: FileDescriptor

  /// - Parameter name: the machine's identifier.
  init(_ request: ControlGroupRequest, _ limits: Limits, name: String) throws(NovmError) {
    let parent = try Self.parent(request.place, hasTransfers: limits.transfers != nil)
    Self.removeLeftovers(parent)
    path = "\(parent)/novm-\(name)"
    do throws(Errno) {
      lock = try Self.make(path)
      entrance = try FileDescriptor.open("\(path)/cgroup.procs", O_WRONLY)
    } catch {
      throw .cgroup(path, .directory(error))
    }
    try set("memory.max", "\(limits.memory)")
    // All of it, or what is left is no machine.
    try set("memory.oom.group", "1")
    try set("cpu.max", "\(limits.processors * 100_000) 100000")
    try set("pids.max", "\(limits.processes)")
    if let transfers = limits.transfers {
      do throws(ControlGroupFault) {
        try Self.limit(transfers, of: Self.disks(), in: path)
      } catch {
        throw .cgroup(path, error)
      }
    }
  }

  /// Limits what goes to and from disks; those that have gone meanwhile need none.
  ///
  /// - Throws: also where nothing is limited.
  static func limit(_ transfers: UInt64, of disks: [String], in path: String) throws(ControlGroupFault) {
    guard unsafe access("\(path)/io.max", F_OK) == 0 else { throw .controller("io") }
    var isLimited = false
    for disk in disks {
      do throws(Errno) {
        try write("\(path)/io.max", "\(disk) rbps=\(transfers) wbps=\(transfers)")
        isLimited = true
      } catch {
        guard error == Errno(ENODEV) else { throw .file("io.max", error) }
      }
    }
    guard isLimited else { throw .noDisk }
  }

  /// `MAJOR:MINOR` of each disk that has a size: what is behind partitions, and volumes over several. Limits are for whole ones.
  static func disks(in directory: String = "/sys/block") -> [String] {
    guard let all = try? FileDescriptor.open(directory, O_RDONLY | O_DIRECTORY),
      let names = try? FileCalls.names(all.raw)
    else { return [] }
    return names.compactMap { name in
      let path = "\(directory)/\(String(decoding: name, as: UTF8.self))"
      guard let size = try? SystemFile.read("\(path)/size"), size != "0\n",
        let device = try? SystemFile.read("\(path)/dev")
      else { return nil }
      return String(device.prefix { $0 != "\n" })
    }.sorted()
  }

  deinit { remove() }

  /// Makes and locks it. Between the two, one who looks for what was left behind may lock and remove it; so it is made again.
  private static func make(_ path: String) throws(Errno) -> FileDescriptor {
    var attempts = 10
    while true {
      attempts -= 1
      do throws(Errno) {
        guard unsafe mkdir(path, 0o755) == 0 || Errno.current == .exists else { throw .current }
        let lock = try FileDescriptor.open(path, O_RDONLY | O_DIRECTORY)
        try checked(flock(lock.raw, LOCK_EX | LOCK_NB))
        if isThere(lock, at: path) { return lock }
        throw .notFound
      } catch {
        guard attempts > 0, error == .notFound || error == Errno(EWOULDBLOCK) else { throw error }
      }
      usleep(2000)
    }
  }

  /// Whether the directory of this path is the one that is open.
  private static func isThere(_ directory: borrowing FileDescriptor, at path: String) -> Bool {
    var (open, named) = (stat(), stat())
    guard unsafe fstat(directory.raw, &open) == 0, unsafe stat(path, &named) == 0 else { return false }
    return open.st_dev == named.st_dev && open.st_ino == named.st_ino
  }

  /// Whether the host's kernel ended it for the memory that it took.
  var ranOutOfMemory: Bool {
    guard let events = try? SystemFile.read("\(path)/memory.events") else { return false }
    return events.split(separator: "\n").contains { $0.hasPrefix("oom_kill ") && $0 != "oom_kill 0" }
  }

  private func set(_ file: String, _ value: String) throws(NovmError) {
    do throws(Errno) {
      try Self.write("\(path)/\(file)", value)
    } catch {
      throw .cgroup(path, error == .notFound ? .controller(String(file.prefix { $0 != "." })) : .file(file, error))
    }
  }

  /// What is left in it, such as what keeps the monitor's sockets, goes too.
  private func remove() {
    try? Self.write("\(path)/cgroup.kill", "1")
    for _ in 0..<50 {
      if unsafe rmdir(path) == 0 || Errno.current != Errno(EBUSY) { return }
      usleep(2000)
    }
  }

  // MARK: Where it is

  private static let mountPoint = "/sys/fs/cgroup"
  private static let controllers = ["+memory", "+cpu", "+pids"]

  private static func parent(
    _ place: ControlGroupRequest.Place, hasTransfers: Bool
  ) throws(NovmError) -> String {
    let controllers = Self.controllers + (hasTransfers ? ["+io"] : [])
    if case .path(let path) = place {
      // Before anything is made or written there.
      guard unsafe access("\(path)/cgroup.controllers", F_OK) == 0 else { throw .cgroup(path, .notAGroup) }
      enable(controllers, path)
      return path
    }
    guard let own = own() else { throw .cgroup(mountPoint, .version) }
    if isDelegated(own) {
      // A group with groups below has no processes of its own (cgroups(7), "no internal processes").
      let leaf = "\(own)/novm"
      guard unsafe mkdir(leaf, 0o755) == 0 || Errno.current == .exists else {
        throw .cgroup(leaf, .directory(.current))
      }
      do throws(Errno) { try write("\(leaf)/cgroup.procs", "0") } catch {
        throw .cgroup(leaf, .file("cgroup.procs", error))
      }
      enable(controllers, own)
      return own
    }
    guard geteuid() == 0 else { throw .cgroup(own, .notDelegated) }
    let parent = "\(mountPoint)/novm"
    enable(controllers, mountPoint)
    guard unsafe mkdir(parent, 0o755) == 0 || Errno.current == .exists else {
      throw .cgroup(parent, .directory(.current))
    }
    enable(controllers, parent)
    return parent
  }

  /// This process's, or that above it where it has moved into a leaf itself.
  private static func own() -> String? {
    guard let text = try? SystemFile.read("/proc/self/cgroup"),
      let line = text.split(separator: "\n").first(where: { $0.hasPrefix("0::/") }),
      unsafe access("\(mountPoint)/cgroup.controllers", F_OK) == 0
    else { return nil }
    var path = "\(mountPoint)\(line.dropFirst(3))"
    while path.hasSuffix("/") { path.removeLast() }
    if path.hasSuffix("/novm"), isDelegated(String(path.dropLast(5))) { path.removeLast(5) }
    return path
  }

  /// systemd says so by an attribute (systemd's "Control Group APIs and Delegation").
  private static func isDelegated(_ path: String) -> Bool {
    ["user.delegate", "trusted.delegate"].contains { name in
      var value: UInt8 = 0
      return unsafe getxattr(path, name, &value, 1) == 1 && value == UInt8(ascii: "1")
    }
  }

  /// What cannot be had shows when a limit is set.
  private static func enable(_ controllers: [String], _ path: String) {
    for controller in controllers { try? write("\(path)/cgroup.subtree_control", controller) }
  }

  private static func removeLeftovers(_ parent: String) {
    guard let directory = try? FileDescriptor.open(parent, O_RDONLY | O_DIRECTORY),
      let names = try? FileCalls.names(directory.raw)
    else { return }
    for name in names where name.starts(with: "novm-".utf8) {
      let path = "\(parent)/\(String(decoding: name, as: UTF8.self))"
      guard let lock = try? FileDescriptor.open(path, O_RDONLY | O_DIRECTORY), flock(lock.raw, LOCK_EX | LOCK_NB) == 0,
        isThere(lock, at: path)
      else { continue }
      _ = unsafe rmdir(path)
    }
  }

  private static func write(_ path: String, _ value: String) throws(Errno) {
    let file = try FileDescriptor.open(path, O_WRONLY)
    try file.writeAll(Array(value.utf8))
  }
}

/// Why a control group cannot be had.
package enum ControlGroupFault: Error, Equatable, Sendable {
  case version
  case notAGroup
  case notDelegated
  case directory(Errno)
  case file(String, Errno)
  case controller(String)
  case noDisk

  var words: String {
    switch self {
    case .version: "there is no cgroup file system of version 2"
    case .notAGroup: "it is no control group of version 2; give auto, or a directory below /sys/fs/cgroup"
    case .notDelegated:
      "it is not yours to divide; start novm by 'systemd-run --user --scope -p Delegate=yes', or name a directory that is"
    case .directory(let error): error.description
    case .file(let name, let error): "\(name): \(error.description)"
    case .controller(let name): "it has no \(name) controller; see cgroup.subtree_control of the directory above"
    case .noDisk: "this host has no disk in /sys/block that io= could limit; leave it out"
    }
  }
}
