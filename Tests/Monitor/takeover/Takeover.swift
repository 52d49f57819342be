// A machine whose monitor was taken over: from one of its threads, once it is confined, something forbidden is tried.
//
//   takeover THREAD ATTEMPT KERNEL DIRECTORY
//
// THREAD is loop, vcpu, queue or late (one that begins afterwards). The machine has what is in DIRECTORY: read layer `read`, write
// map `write`, share `share`, `disk`, and the sockets `vsock` and `control`; all else there is none of its business. Prints what
// came of it, `possible` or `refused` and the error, and ends; what ends the machine ends this with status 7.
import CLinux
import Confinement
import FileSystem
import Glibc
import Host
import Machine

@main
struct Takeover {
  static func main() {
    let words = CommandLine.arguments
    guard words.count == 5 else { exit(2) }
    let (thread, attempt, kernel, directory) = (words[1], words[2], words[3], words[4])
    var description = MachineDescription()
    description.kernel = Path("\(kernel)/vmlinux")
    description.setup = Path("\(kernel)/setup")
    description.commandLine = Array("panic=-1".utf8)
    description.memory = 256 << 20
    description.reads = [LayerMap(guestPath: "/", hostPath: "\(directory)/read")]
    description.writes = [LayerMap(guestPath: "/", hostPath: "\(directory)/write")]
    description.shares = [Share(map: LayerMap(guestPath: "/share", hostPath: "\(directory)/share"))]
    description.disks = [try! Disk(Array("\(directory)/disk".utf8))]
    description.vsock = Path("\(directory)/vsock")
    description.control = Path("\(directory)/control")
    description.confinement = .auto
    do {
      let machine = try Machine(description, KernelBoot()) { print($0) }
      // As the tree has it open, whose write maps come first.
      let share = machine.roots[1].descriptor
      let intrusion = Intrusion(attempt, directory: directory, share: share)
      machine.threadBegan = { kind in
        if kind.rawValue == thread { intrusion.run() }
        if kind == .loop, thread == "late" { _ = try! Thread("late") { intrusion.run() } }
      }
      _ = try machine.run()
    } catch {
      print("no machine: \(error)")
      exit(1)
    }
    print("no such thread began")
    exit(1)
  }
}

/// One forbidden thing.
final class Intrusion: @unchecked Sendable {
  private let attempt: String
  private let directory: String
  private let share: Int
  private let sibling: Int
  private let turn = Lock()

  init(_ attempt: String, directory: String, share: Int32) {
    self.attempt = attempt
    self.directory = directory
    self.share = Int(share)
    sibling = Int(getppid())
  }

  /// The first thread that comes here tries it; others of its kind wait for the end.
  func run() -> Never {
    turn.withLock {
      let result = perform()
      var line = result >= 0 ? "possible\n" : "refused \(Errno.current.code)\n"
      _ = line.withUTF8 { write(1, $0.baseAddress, $0.count) }
      _exit(0)
    }
  }

  private static let here = -100  // AT_FDCWD

  private func path(_ text: String, _ body: (Int) -> Int) -> Int {
    text.withCString { body(Int(bitPattern: $0)) }
  }

  private func call(_ call: SystemCall, _ first: Int = 0, _ second: Int = 0, _ third: Int = 0, _ fourth: Int = 0) -> Int
  {
    clinux_call(Int(call.number), first, second, third, fourth)
  }

  private func open2(_ from: Int, _ name: String, _ flags: Int32 = O_RDONLY, mode: UInt64 = 0) -> Int {
    name.withCString { Int(clinux_openat2(Int32(from), $0, UInt64(flags), mode, 0)) }
  }

  private func perform() -> Int {
    let secret = "\(directory)/outside/secret"
    switch attempt {
    // Files, by each call that opens.
    case "open": return path(secret) { call("open", $0) }
    case "openat": return path(secret) { call("openat", Self.here, $0) }
    case "openat2": return open2(Self.here, secret)
    case "open-shadow": return open2(Self.here, "/etc/shadow")
    case "open-by-proc": return open2(Self.here, "/proc/self/root\(secret)")
    case "open-by-init": return open2(Self.here, "/proc/1/root\(secret)")
    case "open-by-dots": return open2(share, "../outside/secret")
    case "open-other-machine": return open2(Self.here, "\(directory)/other/disk", O_RDWR)
    case "create": return open2(Self.here, "\(directory)/outside/new", O_RDWR | O_CREAT, mode: 0o600)
    case "unlink": return path("../outside/victim") { call("unlinkat", share, $0, 0) }
    case "rename":
      return path("../outside/victim") { from in path("taken") { call("renameat2", share, from, share, $0) } }
    case "link": return path(secret) { from in path("taken") { call("linkat", Self.here, from, share, $0) } }
    case "mkdir": return path("\(directory)/outside/made") { call("mkdirat", Self.here, $0, 0o700) }
    // What Landlock has no part in.
    case "device":
      // /dev/null's numbers; none can be made, or it cannot be opened.
      return path("device") { call("mknodat", share, $0, 0o20600, 0x103) } < 0 ? -1 : open2(share, "device", O_RDWR)
    case "stat": return path(secret) { call("readlinkat", Self.here, $0, 0, 0) } < 0 ? status(secret) : 0
    case "chmod": return path(secret) { call("fchmodat", Self.here, $0, 0o777) }
    case "chmod-by-dots": return path("../outside/secret") { call("fchmodat", share, $0, 0o777) }
    case "chown": return path(secret) { call("fchownat", Self.here, $0, Int(getuid()), Int(getgid())) }
    case "set-attribute":
      return path(secret) { secret in path("user.taken") { name in path("x") { call("setxattr", secret, name, $0, 1) } }
      }
    case "set-times": return path(secret) { call("utimensat", Self.here, $0, 0, 0) }
    // Processes.
    case "execve": return path("/bin/true") { call("execve", $0) }
    case "fork": return call("fork")
    case "clone": return call("clone", 17)
    case "clone3": return call("clone3")
    case "kill": return call("kill", sibling, 0)
    case "tgkill": return call("tgkill", sibling, sibling, 0)
    case "ptrace": return call("ptrace", 16, sibling)
    case "read-sibling": return call("process_vm_readv", sibling)
    case "pidfd": return call("pidfd_open", sibling)
    case "code": return call("mmap", 0, 4096, 7, 0x22)
    case "mprotect": return call("mprotect", 0, 4096, 5)
    // The network, and others' sockets.
    case "socket": return call("socket", 2, 1, 0)
    case "local-socket": return call("socket", 1, 1, 0)
    case "connect": return call("connect", 0)
    case "bind": return call("bind", 0)
    case "datagrams": return call("socketpair", 1, 2, 0)
    case "internet-pair": return call("socketpair", 2, 1, 0)
    // The kernel.
    case "io-uring": return call("io_uring_setup", 8)
    case "bpf": return call("bpf")
    case "unshare": return call("unshare", 0x1000_0000)
    case "mount": return call("mount")
    case "keyctl": return call("keyctl")
    case "userfaultfd": return call("userfaultfd")
    case "perf": return call("perf_event_open")
    case "terminal": return call("ioctl", 0, 0x5412)
    case "make-vm": return call("ioctl", 0, 0xae01)
    case "dumpable": return call("prctl", 4, 1)
    case "signals": return call("rt_sigaction", 31)
    default:
      print("no such attempt")
      exit(2)
    }
  }

  private func status(_ name: String) -> Int {
    var status = stat()
    return Int(lstat(name, &status))
  }
}
