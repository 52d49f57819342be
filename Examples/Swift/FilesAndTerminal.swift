import Novm

extension Examples {
  /// Puts a file into a machine, runs a command on a terminal of its own, and reads what that made.
  static func filesAndTerminal() async throws {
    let machine = try Self.machine()
    try machine.write(Array("from the host\n".utf8), to: Array("/tmp/in".utf8))
    var command = Command("sh", "-c", "stty size; tr a-z A-Z </tmp/in >/tmp/out")
    command.terminal = Command.Terminal(rows: 30, columns: 100)
    let running = try machine.run(command)
    _ = try await running.end()
    // A terminal ends lines with a carriage return, too.
    print(text(running.output.filter { $0 != UInt8(ascii: "\r") }), terminator: "")
    print(text(try machine.read(Array("/tmp/out".utf8))), terminator: "")
    try machine.stop(grace: .zero)
  }
}
