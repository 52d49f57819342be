import CLinux
import Glibc
package import Host

/// A process beside this one that keeps the names of its Unix sockets: it connects to `PATH_PORT` for it, and removes names at
/// the end. So this process needs neither socket(2) nor connect(2), by which it would reach every socket of its user's.
///
/// The process takes five bytes at a time from here, and believes nothing of them but a port's number. It ends with this one.
package final class SocketBroker {
  private enum Order: UInt8 {
    case connect = 1
    case removeNames = 2
  }

  private let socket: FileDescriptor
  package let process: Int32

  /// Starts it. To be called while the process has one thread, and nothing yet that another should not have a copy of.
  ///
  /// - Parameters:
  ///   - base: what `PATH_PORT` begins with; nil for none.
  ///   - names: which are removed.
  ///   - patience: seconds that an answer may take.
  package init(connectingBeneath base: Path?, removing names: [Path], patience: Int = 5) throws(Errno) {
    var ends: [Int32] = [-1, -1]
    // Datagrams with an end.
    let kind = Int32(SOCK_SEQPACKET.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    try checked(unsafe socketpair(AF_UNIX, kind, 0, &ends))
    socket = FileDescriptor(owning: ends[0])
    // Whoever stops that process, or gives it a socket that hangs, does not stop the machine.
    var patience = timeval(tv_sec: patience, tv_usec: 0)
    try checked(
      unsafe setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size)))
    let theirs = FileDescriptor(owning: ends[1])
    process = try checked(clinux_fork())
    if process == 0 { Self.serve(theirs.raw, base, names) }
  }

  /// An answer that comes too late would be taken for the next one's: nothing is asked any more then.
  private var isLate = false

  /// Connects to `PATH_PORT`; the socket never blocks.
  package func connect(port: UInt32) throws(Errno) -> FileDescriptor {
    let (answer, descriptor) = try ask(.connect, port)
    guard answer == 0, descriptor >= 0 else {
      if descriptor >= 0 { _ = FileDescriptor(owning: descriptor) }
      throw Errno(answer == 0 ? EIO : Int32(answer))
    }
    return FileDescriptor(owning: descriptor)
  }

  /// Removes the names, and ends the process. One that is late finds the order when it goes on, and is not waited for.
  package func close() {
    if isLate {
      try? tell(.removeNames, 0)
    } else if (try? ask(.removeNames, 0)) != nil {
      _ = clinux_wait(process)
    }
  }

  private func tell(_ order: Order, _ port: UInt32) throws(Errno) {
    let bytes = [order.rawValue] + (0..<4).map { UInt8(truncatingIfNeeded: port >> (8 * UInt32($0))) }
    guard try UnixSocket.send(socket, bytes.span) == bytes.count else { throw .inputOutput }
  }

  private func ask(_ order: Order, _ port: UInt32) throws(Errno) -> (answer: UInt8, descriptor: Int32) {
    guard !isLate else { throw .inputOutput }
    try tell(order, port)
    var descriptor: Int32 = -1
    while true {
      let answer = unsafe clinux_receive_descriptor(socket.raw, &descriptor)
      if answer >= 0 { return (UInt8(answer), descriptor) }
      guard Errno.current == .interrupted else {
        isLate = true
        throw .inputOutput
      }
    }
  }

  // MARK: The other process

  private static func serve(_ raw: Int32, _ base: Path?, _ names: [Path]) -> Never {
    do throws(Errno) {
      try confine(raw, names)
      // By now it is standard input.
      var order = [UInt8](repeating: 0, count: 6)
      while true {
        let count = unsafe order.withUnsafeMutableBytes { unsafe recv(0, $0.baseAddress, $0.count, 0) }
        if count < 0, Errno.current == .interrupted { continue }
        guard count == 5, let kind = Order(rawValue: order[0]) else { _exit(count == 0 ? 0 : 1) }
        switch kind {
        case .removeNames:
          for name in names { UnixSocket.remove(name) }
          _ = clinux_send_descriptor(0, 0, -1)
          _exit(0)
        case .connect:
          let port = (0..<4).reduce(UInt32(0)) { $0 | UInt32(order[1 + $1]) << (8 * UInt32($1)) }
          answer(base, port)
        }
      }
    } catch {
      _exit(1)
    }
  }

  private static func answer(_ base: Path?, _ port: UInt32) {
    do throws(Errno) {
      guard let base else { throw Errno(EACCES) }
      let connected = try UnixSocket.connect(base + "_\(port)")
      _ = clinux_send_descriptor(0, 0, connected.raw)
    } catch {
      _ = clinux_send_descriptor(0, UInt8(clamping: error.code), -1)
    }
  }

  /// Keeps one descriptor, and the calls for what it is told.
  private static func confine(_ raw: Int32, _ names: [Path]) throws(Errno) {
    try checked(dup2(raw, 0))
    // What is inherited, such as a lock or the write end of a pipe, would outlive the machine here.
    try checked(clinux_close_from(1))
    var all = sigset_t()
    unsafe sigfillset(&all)
    unsafe sigprocmask(SIG_SETMASK, &all, nil)
    _ = unsafe clinux_set_thread_name("novmm-sockets")
    forgetArguments()
    ProcessPrivileges.forgetEnvironment()
    try ProcessPrivileges.renounce()
    try ProcessPrivileges.hideMemory()
    // To reach others' sockets, as root does.
    try? ProcessPrivileges.keepCapabilities(ProcessPrivileges.isRoot ? [.overrideAccess] : [])
    if Landlock.version >= Landlock.leastVersion {
      let landlock = try Landlock()
      for name in names {
        guard let directory = try? FileDescriptor.open(name.parent, OpenFlags.directoryPath) else { continue }
        try landlock.allow(.removing, beneath: directory.raw)
      }
      try landlock.apply()
    }
    guard CallFilter.isAvailable else { return }
    var filter = CallFilter()
    filter.allow("recvfrom", "sendmsg", "connect", "close", "unlink", "exit_group")
    filter.allow("socket", where: .word(0, [UInt32(AF_UNIX)]), .word(2, [0]))
    filter.allow("mmap", where: .without(2, UInt64(PROT_EXEC)))
    filter.allow("munmap", "brk", "madvise", "futex", "getrandom")
    try filter.apply()
  }

  /// So that its words are not the monitor's for ps(1) and pgrep(1).
  private static func forgetArguments() {
    // Safe: the process's own arguments, each with its NUL, which nobody has a use for here.
    for index in 0..<Int(CommandLine.argc) {
      if let word = unsafe CommandLine.unsafeArgv[index] { unsafe memset(word, 0, strlen(word)) }
    }
  }
}
