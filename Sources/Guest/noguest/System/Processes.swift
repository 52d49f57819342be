import CGuest

/// How a process ended (waitpid(2)).
enum ExitStatus {
  case exited(UInt8)
  case signaled(UInt8)
}

enum Processes {
  /// fork(2): the identifier of the new process, and nil in that process.
  static func fork() throws(SystemError) -> Int32? {
    let identifier = try check(CGuest.fork())
    return identifier == 0 ? nil : identifier
  }

  /// The next child that has ended, if any has; `childless` where there is none left, ended or not.
  static func reap() -> Reaped {
    var status: Int32 = 0
    let identifier = unsafe waitpid(-1, &status, WNOHANG)
    if identifier > 0 {
      let ended: ExitStatus =
        cguest_signaled(status) != 0
        ? .signaled(UInt8(truncatingIfNeeded: cguest_termination_signal(status)))
        : .exited(UInt8(truncatingIfNeeded: cguest_exit_status(status)))
      return .ended(identifier, ended)
    }
    return identifier < 0 && SystemError.last.number == ECHILD ? .childless : .running
  }

  enum Reaped {
    case ended(Int32, ExitStatus)
    case running
    case childless
  }

  /// kill(2) a process group.
  static func signal(group: Int32, _ number: Int32) {
    _ = kill(-group, number)
  }

  /// kill(2) everything but this process and PID 1. Only who ends the machine may mean that.
  static func signalAll(_ number: Int32) {
    _ = kill(-1, number)
  }

  /// kill(2) one process.
  static func signal(_ process: Int32, _ number: Int32) {
    _ = kill(process, number)
  }

  /// prctl(2), `PR_SET_NAME`: what ps(1) shows.
  static func setName(_ name: Bytes) {
    _ = unsafe name.withCString { unsafe cguest_set_name($0) }
  }

  /// Replaces this process by `path` (execve(2)); comes back only with the error.
  static func execute(_ path: Bytes, _ arguments: [Bytes], _ environment: [Bytes]) -> SystemError {
    _ = unsafe path.withCString { name in
      unsafe withVector(arguments) { argv in
        unsafe withVector(environment) { envp in unsafe execve(name, argv, envp) }
      }
    }
    return .last
  }

  /// Calls `body` with a null-terminated vector of the strings, for as long as the call takes.
  private static func withVector<Result>(
    _ strings: [Bytes], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
  ) -> Result {
    // One block of all strings, so that nothing moves while pointers into it stand.
    var block: Bytes = []
    var starts: [Int] = []
    for string in strings {
      starts.append(block.count)
      block.append(contentsOf: string)
      block.append(0)
    }
    block.append(0)
    return unsafe block.withUnsafeMutableBufferPointer { bytes in
      unsafe bytes.withMemoryRebound(to: CChar.self) { characters in
        // Never null: the block has a byte at least, and each start lies within it.
        let base = characters.baseAddress!
        var vector = unsafe starts.map { unsafe Optional(base + $0) }
        unsafe vector.append(nil)
        return unsafe vector.withUnsafeBufferPointer { unsafe body($0.baseAddress!) }
      }
    }
  }
}
