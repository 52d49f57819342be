import CLinux
import Glibc

/// Starts programs: posix_spawn(3), with what they inherit named one by one.
package enum Spawn {
  /// Starts a program, in a session of its own and with default signals unless told otherwise.
  ///
  /// - Parameters:
  ///   - arguments: without the program's name.
  ///   - output: becomes standard output; `/dev/null` if nil.
  ///   - errors: becomes standard error.
  ///   - inherited: descriptors that the program gets under the same numbers.
  ///   - session: false for one that stays in this process's group and takes signals as this one does, so that those of
  ///     a terminal are for both.
  ///   - seesOthers: false for one that sees none of the host's processes but its own, where this process may have that so: it is
  ///     the first of a PID namespace, and what it starts ends with it (pid_namespaces(7)). It begins with the signals blocked that
  ///     ask for an end: what has no handler yet the kernel would keep from the first.
  /// - Throws: what kept it from being executed.
  package static func start(
    _ program: String, _ arguments: [[UInt8]], output: Int32? = nil, errors: Int32, inherited: [Int32] = [],
    session: Bool = true, seesOthers: Bool = true
  ) throws(Errno) -> pid_t {
    var identifier: pid_t = 0
    let start = {
      unsafe Self.prepare(program, arguments, output, errors, inherited, session, blocks: !seesOthers) {
        actions, attributes, words in
        unsafe posix_spawn(&identifier, program, actions, attributes, words, environ)
      }
    }
    let status = seesOthers ? start() : withNewProcesses(start)
    guard status == 0 else { throw Errno(status) }
    return identifier
  }

  /// Has what this thread starts be in a PID namespace of its own. Other threads go on as ever, and so does this one.
  private static func withNewProcesses(_ start: () -> Int32) -> Int32 {
    // Root of a user namespace may leave its host's PID namespace, but not come back: so it is tried before.
    guard let own = try? FileDescriptor.open("/proc/self/ns/pid", O_RDONLY),
      clinux_enter_namespace(own.raw, Int32(clinux_NEW_PROCESSES)) == 0,
      clinux_unshare(Int32(clinux_NEW_PROCESSES)) == 0
    else { return start() }
    let status = start()
    let isBack = clinux_enter_namespace(own.raw, Int32(clinux_NEW_PROCESSES)) == 0
    precondition(isBack, "setns: \(Errno.current)")
    return status
  }

  /// Starts a program, in a session of its own and with default signals, that is no child of this process: neither SIGCHLD nor
  /// wait(2) tell of its end, unless this process takes in orphans (PID 1, or PR_SET_CHILD_SUBREAPER). Of descriptors it has the
  /// named ones alone.
  ///
  /// - Parameters:
  ///   - arguments: without the program's name.
  ///   - errors: becomes standard error; the others are `/dev/null`.
  ///   - inherited: descriptors that the program gets under the same numbers, which are above 2.
  ///   - environment: `NAME=VALUE`, all of it.
  /// - Throws: what kept it from being executed.
  package static func startApart(
    _ program: String, _ arguments: [[UInt8]], errors: Int32, inherited: [Int32], environment: [[UInt8]]
  ) throws(Errno) {
    let stack = try MemoryMapping(anonymous: 256 << 10)
    let variables = unsafe vector(environment)
    defer { unsafe release(variables) }
    let status = unsafe prepare(program, arguments, nil, errors, inherited, true, blocks: false) {
      actions, attributes, words in
      unsafe program.withCString { program in
        unsafe variables.withUnsafeBufferPointer { variables in
          var start = unsafe clinux_start(
            program: program, actions: actions, attributes: attributes, arguments: words,
            environment: variables.baseAddress)
          return unsafe clinux_start_apart(&start, stack.bytes.baseAddress! + stack.count)
        }
      }
    }
    guard status == 0 else { throw Errno(status) }
  }

  /// Says how a program is to be started.
  private static func prepare(
    _ program: String, _ arguments: [[UInt8]], _ output: Int32?, _ errors: Int32, _ inherited: [Int32],
    _ session: Bool, blocks: Bool,
    _ start: (
      UnsafePointer<posix_spawn_file_actions_t>, UnsafePointer<posix_spawnattr_t>,
      UnsafePointer<UnsafeMutablePointer<CChar>?>
    ) -> Int32
  ) -> Int32 {
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    unsafe posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    if let output {
      unsafe posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
    } else {
      unsafe posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0)
    }
    // Onto itself: glibc then only clears close-on-exec, as POSIX.1-2024 asks.
    for descriptor in inherited { unsafe posix_spawn_file_actions_adddup2(&actions, descriptor, descriptor) }
    unsafe posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO)

    var attributes = posix_spawnattr_t()
    unsafe posix_spawnattr_init(&attributes)
    defer { unsafe posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    var all = sigset_t()
    unsafe sigemptyset(&none)
    unsafe sigfillset(&all)
    if blocks { for number in [SIGINT, SIGQUIT, SIGTERM] { unsafe sigaddset(&none, number) } }
    unsafe posix_spawnattr_setsigmask(&attributes, &none)
    unsafe posix_spawnattr_setsigdefault(&attributes, &all)
    // POSIX_SPAWN_SETSID is 0x80 in glibc, shown only with _GNU_SOURCE.
    if session {
      unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK) | Int16(POSIX_SPAWN_SETSIGDEF) | 0x80)
    }
    let words = unsafe vector([Array(program.utf8)] + arguments)
    defer { unsafe release(words) }
    return unsafe words.withUnsafeBufferPointer { unsafe start(&actions, &attributes, $0.baseAddress!) }
  }

  /// An array of C strings with a null pointer at its end.
  private static func vector(_ words: [[UInt8]]) -> [UnsafeMutablePointer<CChar>?] {
    unsafe words.map { unsafe duplicate($0) } + [nil]
  }

  private static func release(_ vector: [UnsafeMutablePointer<CChar>?]) {
    for index in unsafe vector.indices { unsafe free(vector[index]) }
  }

  private static func duplicate(_ bytes: [UInt8]) -> UnsafeMutablePointer<CChar>? {
    unsafe (bytes + [0]).withUnsafeBytes { unsafe strdup($0.baseAddress!.assumingMemoryBound(to: CChar.self)) }
  }
}
