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
  /// - Throws: what kept it from being executed.
  package static func start(
    _ program: String, _ arguments: [[UInt8]], output: Int32? = nil, errors: Int32, inherited: [Int32] = [],
    session: Bool = true
  ) throws(Errno) -> pid_t {
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
    unsafe posix_spawnattr_setsigmask(&attributes, &none)
    unsafe posix_spawnattr_setsigdefault(&attributes, &all)
    // POSIX_SPAWN_SETSID is 0x80 in glibc, shown only with _GNU_SOURCE.
    if session {
      unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK) | Int16(POSIX_SPAWN_SETSIGDEF) | 0x80)
    }

    var identifier: pid_t = 0
    var argv = unsafe ([Array(program.utf8)] + arguments).map { unsafe duplicate($0) } + [nil]
    defer { for index in unsafe argv.indices { unsafe free(argv[index]) } }
    let status = unsafe posix_spawn(&identifier, program, &actions, &attributes, &argv, environ)
    guard status == 0 else { throw Errno(status) }
    return identifier
  }

  private static func duplicate(_ bytes: [UInt8]) -> UnsafeMutablePointer<CChar>? {
    unsafe (bytes + [0]).withUnsafeBytes { unsafe strdup($0.baseAddress!.assumingMemoryBound(to: CChar.self)) }
  }
}
