// Takes rights from itself, then tries something: `confined ATTEMPT [DIRECTORY]`. Prints what came of it: `done`, or an error
// number. What the filter has no place for ends it. `confined first-process` keeps its rights, and starts a program that sees no others.
import CLinux
import Confinement
import Glibc
import Host

@main
struct Confined {
  static func main() throws {
    let arguments = CommandLine.arguments
    let attempt = arguments[1]
    let directory = arguments.count > 2 ? arguments[2] : "/nonexistent"
    if attempt == "first-process" {
      let identifier = try Spawn.start("/bin/sh", [], errors: STDERR_FILENO, seesOthers: false)
      var status: Int32 = 0
      exit(unsafe waitpid(identifier, &status, 0) == identifier && status == 0 ? 0 : 1)
    }
    try CallViolation.arm()
    try ProcessPrivileges.renounce()
    try ProcessPrivileges.hideMemory()
    if attempt.hasPrefix("land") {
      let opened = try FileDescriptor.open(directory, O_RDONLY | O_DIRECTORY)
      let landlock = try Landlock()
      try landlock.allow(.writing, beneath: opened.raw)
      try landlock.apply()
    } else {
      try filter.apply()
    }
    say(result(attempt, directory))
    exit(0)
  }

  /// Enough for this program, with a part of each kind.
  private static var filter: CallFilter {
    var filter = CallFilter()
    filter.allow("write", "exit_group", "exit", "munmap", "brk", "futex", "rt_sigprocmask", "madvise", "rseq")
    // gettid is of the handler: Swift asks for it where a variable of a type is first used.
    filter.allow("set_robust_list", "getpid", "gettid", "fstat", "newfstatat", "close")
    filter.allow("rt_sigaction", where: .word(0, [33]))
    filter.allow("mmap", where: .without(2, 4))
    filter.allow("mprotect", where: .without(2, 4))
    filter.allow("prctl", where: .word(0, [15, 16]))
    filter.allow("socket", where: .word(0, [1]), .word(1, [1, 5]))
    filter.allow("clone", where: .exactly(0, [0x3d_0f00]))
    filter.allow("ioctl", where: .word(1, [0x5401]))
    filter.refuse("clone3", Errno(ENOSYS))
    filter.refuse("getcwd", Errno(EXDEV))
    return filter
  }

  private static func say(_ result: Int) {
    let text = result < 0 ? "\(Errno.current.code)\n" : "done\n"
    _ = unsafe Array(text.utf8).withUnsafeBytes { unsafe write(1, $0.baseAddress, $0.count) }
  }

  private static func result(_ attempt: String, _ directory: String) -> Int {
    let size = 4096
    switch attempt {
    case "getpid": return Int(getpid())
    case "getppid": return Int(getppid())
    case "thread":
      guard let thread = try? Thread("late", { Self.say(0) }) else { return -1 }
      thread.join()
      return 0
    case "thread-getppid":
      (try? Thread("late", { _ = getppid() }))?.join()
      return 0
    case "fork": return Int(clinux_fork())
    case "local-socket": return Int(socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0))
    case "internet-socket": return Int(socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0))
    case "datagram-socket": return Int(socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0))
    case "memory": return Self.mapped(PROT_READ | PROT_WRITE, size)
    case "code": return Self.mapped(PROT_READ | PROT_EXEC, size)
    case "terminal": return Int(isatty(1)) - 1
    case "window-size":
      var room = winsize()
      return Int(unsafe ioctl(1, UInt(TIOCGWINSZ), &room))
    case "refused":
      var room = [CChar](repeating: 0, count: 64)
      return unsafe getcwd(&room, 64) == nil ? -1 : 0
    case "number": return clinux_call(510, 0, 0, 0, 0)
    case "land-inside": return Self.opened("\(directory)/file", O_RDWR | O_CREAT)
    case "land-outside": return Self.opened("/etc/passwd", O_RDONLY)
    case "land-around": return Self.opened("\(directory)/../outside", O_RDWR | O_CREAT)
    case "land-rename":
      // From one directory to another.
      return Int(unsafe rename("\(directory)/a/file", "\(directory)/b/file"))
    case "land-rename-out": return Int(unsafe rename("\(directory)/a/file", "\(directory)/../outside"))
    default: exit(9)
    }
  }

  private static func opened(_ path: String, _ flags: Int32) -> Int { Int(unsafe clinux_open(path, flags, 0o600)) }

  private static func mapped(_ protection: Int32, _ size: Int) -> Int {
    let memory = unsafe mmap(nil, size, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    return unsafe clinux_map_failed(memory) != 0 ? -1 : 0
  }
}
