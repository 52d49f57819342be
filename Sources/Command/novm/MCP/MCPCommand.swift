import ArgumentParser
import Glibc
import Novm
import NovmKit

struct MCPCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "mcp",
    abstract: "Give a program that speaks the Model Context Protocol machines to work in.",
    discussion: """
      It speaks on standard input and output, and has tools to start machines, run commands in them, read and write their \
      files, and list what they changed. Every machine is as these options say: a client cannot ask for more of the host, and \
      sees no machines but its own, which end and are removed when it does.

      Examples:
        novm mcp --read / --hide /root --hide /home
        novm mcp --read /srv/debian --read '/src=>.' --memory 2G --apply
      """)

  @OptionGroup(title: "The machines") var machine: MachineOptions

  @Flag(help: "Let the client bring what machines changed back to the directories of --read.")
  var apply = false

  @Option(help: ArgumentHelp("How many machines the client may have at once.", valueName: "count"))
  var machines = 4

  func validate() throws {
    if machines < 1 { throw ValidationError("--machines: is 1 or more") }
  }

  func run() throws {
    let (settings, _, layers) = try machine.settings.ofImage(machine.imageUse)
    defer { withExtendedLifetime(layers) {} }
    let definition = try settings.definition(nil, remove: false)
    // What is wrong with the options is told now, rather than to a client later.
    let request = try MachineRequest.checked(definition.machine)
    _ = try Machines.kernel(for: request)
    var all = Machines.all
    all.host = HostProgram(environment: Surroundings.environment.map { Array("\($0.key)=\($0.value)".utf8) })
    signal(SIGPIPE, SIG_IGN)
    let tools = MCPTools(Store(all), definition, mayApply: apply, most: machines)
    MCPServer(tools).serve()
    tools.end()
  }
}
