import ArgumentParser
import NovmKit

struct CreateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "create",
    abstract: "Make a machine that runs in the background.",
    usage: "novm create [OPTIONS] [--] [COMMAND [ARG...]]",
    discussion: """
      Prints the machine's identifier once it runs. With a command it ends with that, whose output `novm logs` shows; \
      without one it runs until `novm stop`. It is kept, with what it wrote, until `novm rm`.

      Examples:
        novm create --name box
        novm exec box -- uname -a
        novm create --name web --share '/srv=>.' -- /srv/server
      """)

  @OptionGroup(title: "The machine") var description: DescriptionOptions
  @OptionGroup(title: "The machine") var machine: MachineOptions
  @OptionGroup(title: "The command") var process: ProcessOptions
  @OptionGroup(title: "The command") var input: InputOptions
  @OptionGroup(title: "The command") var health: EndAndHealthOptions
  @OptionGroup(title: "What becomes of it") var keeping: KeepingOptions

  @Argument(
    parsing: .captureForPassthrough,
    help: ArgumentHelp("The command to run, and its arguments.", valueName: "COMMAND"),
    completion: .commands)
  var words: [String] = []

  func validate() throws { _ = try CommandWords(words, of: Self.self) }

  func run() throws {
    let words = try CommandWords(words, of: Self.self).words
    let (machine, image, layers) = try machine.settings.ofImage(machine.imageUse)
    defer { withExtendedLifetime(layers) {} }
    var settings = try process.settings(words, on: machine).of(image, entrypoint: input.entrypoint, health)
    settings?.input = input.interactive
    try Machines.create(keeping.name, machine.definition(settings, remove: keeping.rm), verbose: false)
  }
}
