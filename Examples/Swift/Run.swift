import Novm

extension Examples {
  /// Runs a command in a machine over this host's files, which it cannot change.
  static func run() async throws {
    let machine = try Self.machine()
    let command = try machine.run(Command("uname", "-r"))
    _ = try await command.end()
    print(text(command.output), terminator: "")
    try machine.stop(grace: .zero)
  }
}
