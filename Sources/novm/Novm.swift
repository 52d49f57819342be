import ArgumentParser

@main
struct Novm: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "novm",
    abstract: "Turns directory trees into machines.",
    subcommands: [KernelCommand.self])

  static func main() {
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch {
      CommandFailure.exit(error, of: Self.self)
    }
  }
}
