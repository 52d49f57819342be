import ArgumentParser
import KernelBundle
import Logging
import NovmKit
import Store

struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Run a command in a machine of its own.",
    usage: "novm run [OPTIONS] [--] COMMAND [ARG...]",
    discussion: """
      The machine's / is the host's, unless --read says otherwise. What it writes is gone afterwards, unless --write \
      says where it goes. Input, output, signals and the exit status are the command's own.

      Examples:
        novm run -- /bin/ls -la /
        novm run -t -- bash
        tar c . | novm run -- sha256sum
        novm run --read /srv/debian --read '/src=>.' --write /tmp/out --cwd /src -- make
        novm run -t --share '/src=>.' --volume 'home=>/root' --cwd /src -- bash
        novm run --com1 --memory 1G --cpus 2 -- uname -a

      Exit status: that of the command; 125 if novm itself failed, 126 if the command cannot be run, 127 if it was not \
      found, 128 and a signal's number if a signal ended it.
      """)

  @OptionGroup(title: "The machine") var machine: MachineOptions
  @OptionGroup(title: "The command") var process: ProcessOptions

  @Flag(help: "Tell what is done.")
  var verbose = false

  @Flag(help: "Print how long each phase took.")
  var timings = false

  @Argument(
    parsing: .captureForPassthrough,
    help: ArgumentHelp("The command to run, and its arguments.", valueName: "COMMAND"),
    completion: .commands)
  var words: [String] = []

  /// Without the `--` before it.
  private var command: [String] { words.first == "--" ? Array(words.dropFirst()) : words }

  func validate() throws {
    // The parser takes everything from the first thing that it does not know for the command.
    if let first = words.first, first.hasPrefix("-"), first != "--" {
      if first == "-h" || first == "--help" { throw CleanExit.helpRequest(self) }
      throw ValidationError(Suggestion.unknownOption(first, known: Self.optionNames))
    }
    if command.isEmpty { throw ValidationError("no command to run; such as: novm run -- /bin/ls -la /") }
  }

  func run() throws {
    let times = Timings()
    times.mark("process", at: ProcessStart.time)
    times.mark("start")
    let logger = CommandLog.logger(verbose: verbose)
    let request = try machine.request(verbose: verbose)
    let command = try process.command(command)
    let programs = Surroundings.programs
    try programs.require()
    let paths = Surroundings.paths
    let kernel = try request.kernel.find(in: KernelStore(directory: paths.kernels), noguest: programs.noguest)
    logger.debug("kernel \(kernel.name): \(kernel.image)")

    let run = AttachedMachine(
      request, kernel: kernel, command: command, timings: times, logger: logger)
    defer { if timings { StandardError.write(times.table()) } }
    let status = try run.run(
      store: MachineStore(directory: paths.machines, runtime: paths.runtime), volumes: paths.volumes,
      novmm: programs.novmm)
    if status != 0 { throw ExitCode(status) }
  }

  private static let optionNames = [
    "--read", "--write", "--share", "--volume", "--hide", "--uidmap", "--gidmap", "--dax", "--memory", "--cpus",
    "--kernel",
    "--cmdline", "--hostname", "--com1", "--env", "--cwd",
    "--user", "--terminal", "--verbose", "--timings", "--help", "--version",
  ]
}
