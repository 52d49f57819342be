import ArgumentParser
import Glibc
import Images
import NovmKit
import Registry

struct LoginCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "login",
    abstract: "Keep a user and password for a registry.",
    discussion: """
      They are tried first. They are kept where Docker and Podman find them, too: in ~/.docker/config.json if there is \
      one, or the helper that it names, else in ~/.config/containers/auth.json; REGISTRY_AUTH_FILE names another file.

      Examples:
        novm login registry.example.org
        novm login --username me --password-stdin localhost:5000 <password
      """)

  @Argument(help: "The registry; docker.io if not given.")
  var registry: String?

  @Option(name: .shortAndLong, help: "The user.")
  var username: String?

  @Flag(name: .customLong("password-stdin"), help: "Read the password from standard input.")
  var readsPassword = false

  @OptionGroup var connection: RegistryOptions

  func run() throws {
    let host = try Registries.host(registry)
    let user = try username ?? ask("user")
    let password = readsPassword ? line() : try secret()
    guard let password, !user.isEmpty, !password.isEmpty else {
      throw CommandFailure("no user, or no password; nothing was kept")
    }
    guard !user.contains(":") else { throw CommandFailure("'\(user)': a user has no colon in the name") }
    var access = try connection.access()
    let credentials = Credentials.password(user: user, password: password)
    access.given = credentials
    for source in try sources(host, access) { try RegistryClient(source, access).check() }
    print("kept in \(try access.credentials.store(credentials, for: host))")
  }

  /// The registry itself, not its mirrors.
  private func sources(
    _ host: String, _ access: RegistryAccess
  ) throws -> [RegistriesConfiguration.Source] {
    guard let reference = ImageReference("\(host)/x") else { return [] }
    let registry = access.configuration.registry(of: reference)
    return [.init(host: host, repository: "", isInsecure: registry?.location.isInsecure ?? false)]
  }

  private func ask(_ what: String) throws -> String {
    guard isatty(STDIN_FILENO) == 1 else {
      throw ValidationError("no terminal to ask for the \(what); give --username and --password-stdin")
    }
    StandardError.write("\(what): ")
    return line() ?? ""
  }

  private func line() -> String? { readLine(strippingNewline: true) }

  /// What is typed is not shown.
  private func secret() throws -> String {
    guard isatty(STDIN_FILENO) == 1 else {
      throw ValidationError("no terminal to ask for the password; give --password-stdin")
    }
    Echo.off()
    defer {
      Echo.on()
      StandardError.write("\n")
    }
    return try ask("password")
  }
}

/// Whether standard input, a terminal, shows what is typed. It does again whatever ends the process, but SIGKILL.
private enum Echo {
  /// Allocated once, so that a handler never sees it half-way.
  nonisolated(unsafe) private static let before = UnsafeMutablePointer<termios>.allocate(capacity: 1)
  private static let ending = [SIGINT, SIGQUIT, SIGTERM, SIGHUP]

  static func off() {
    unsafe before.initialize(to: termios())
    guard unsafe tcgetattr(STDIN_FILENO, before) == 0 else { return }
    var action = sigaction()
    // Safe in a handler: tcsetattr(3) and raise(3) are (signal-safety(7)).
    unsafe action.__sigaction_handler.sa_handler = { signal in
      Echo.show()
      raise(signal)
    }
    action.sa_flags = Int32(bitPattern: UInt32(SA_RESETHAND)) | SA_NODEFER
    for signal in ending { unsafe sigaction(signal, &action, nil) }
    var quiet = unsafe before.pointee
    quiet.c_lflag &= ~tcflag_t(ECHO)
    // VSUSP: who stops it here would have a shell without echo, and then a password with it.
    quiet.c_cc.10 = 0
    _ = unsafe tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet)
  }

  static func on() {
    show()
    for number in ending { signal(number, SIG_DFL) }
  }

  private static func show() { _ = unsafe tcsetattr(STDIN_FILENO, TCSAFLUSH, before) }
}

struct LogoutCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "logout",
    abstract: "Forget a registry's user and password.",
    discussion: """
      Example:
        novm logout registry.example.org
      """)

  @Argument(help: "The registry; docker.io if not given.")
  var registry: String?

  func run() throws {
    let host = try Registries.host(registry)
    guard try Registries.credentials.remove(host) else { throw CommandFailure("\(host): nothing is kept for it") }
  }
}
