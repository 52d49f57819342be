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
      says where it goes, or the machine has a name. Input, output, signals and the exit status are the command's own, \
      unless the machine is to run in the background.

      Examples:
        novm run -- /bin/ls -la /
        novm run -t -- bash
        tar c . | novm run -- sha256sum
        novm run --read /srv/debian --read '/src=>.' --write /tmp/out --cwd /src -- make
        novm run -t --share '/src=>.' --volume 'home=>/root' --cwd /src -- bash
        novm run -d --name web --share '/srv=>.' -- /srv/server
        novm run --net user --publish 8080:80 -- nginx -g 'daemon off;'
        novm run --try --cwd $PWD -- make install
        novm run --image debian:12 -- cat /etc/os-release
        novm run --com1 --memory 1G --cpus 2 -- uname -a

      Exit status: that of the command; 125 if novm itself failed, 126 if the command cannot be run, 127 if it was not \
      found, 128 and a signal's number if a signal ended it.
      """)

  @OptionGroup(title: "The machine") var description: DescriptionOptions
  @OptionGroup(title: "The machine") var machine: MachineOptions
  @OptionGroup(title: "The command") var process: ProcessOptions
  @OptionGroup(title: "The command") var input: InputOptions
  @OptionGroup(title: "The command") var health: EndAndHealthOptions
  @OptionGroup(title: "What becomes of it") var keeping: KeepingOptions
  @OptionGroup(title: "What becomes of it") var ending: EndingOptions

  private var detach: Bool { ending.detach }
  private var rm: Bool { keeping.rm }
  private var isTrial: Bool { ending.isTrial }

  @Flag(help: "Tell what is done.")
  var verbose = false

  @Flag(help: "Print how long each phase took.")
  var timings = false

  @Argument(
    parsing: .captureForPassthrough,
    help: ArgumentHelp("The command to run, and its arguments.", valueName: "COMMAND"),
    completion: .commands)
  var words: [String] = []

  func validate() throws {
    let command = try CommandWords(words, of: Self.self).words
    if command.isEmpty, machine.image == nil, input.entrypoint == nil {
      throw ValidationError("no command to run; such as: novm run -- /bin/ls -la /")
    }
    if isTrial, detach || rm { throw ValidationError("--try: asks at the end; leave out --detach and --rm") }
    if isTrial, machine.rootDisk != nil {
      throw ValidationError("--try: what changed is told for a tree, and --root-disk has none")
    }
    if detach, timings { throw ValidationError("--timings: for a machine in the foreground; leave out --detach") }
  }

  func run() throws {
    let times = Timings()
    times.mark("process", at: ProcessStart.time)
    times.mark("start")
    let logger = CommandLog.logger(verbose: verbose)
    let words = try CommandWords(words, of: Self.self).words
    let (described, image, layers) = try machine.settings.ofImage(machine.imageUse)
    defer { withExtendedLifetime(layers) {} }
    guard var settings = try process.settings(words, on: described).of(image, entrypoint: input.entrypoint, health)
    else {
      throw CommandFailure("the image \(image?.name ?? "") names no command; such as: novm run --image NAME -- /bin/sh")
    }
    settings.input = input.interactive
    let definition = try described.definition(
      settings, remove: rm || (keeping.name == nil && !detach && !isTrial))
    if detach { return try Machines.create(keeping.name, definition, verbose: verbose) }
    var request = try MachineRequest.checked(described)
    request.verbose = verbose
    for grant in request.grants { logger.debug("grants \(grant)") }
    let templates = try Machines.templates
    let programs = Surroundings.programs
    try programs.require()
    let kernel = try Machines.kernel(for: request)
    logger.debug("kernel \(kernel.name): \(kernel.image)")

    var command = settings.agentCommand
    command.options.insert(.input)
    let run = AttachedMachine(
      request, kernel: kernel, command: command,
      record: AttachedMachine.Record(name: keeping.name, definition: definition), timings: times, logger: logger)
    run.timeout = settings.timeout
    run.templates = templates
    let result = Result {
      try run.run(
        store: Machines.store, volumes: Surroundings.paths.volumes, packs: PackCommand.store, novmm: programs.novmm)
    }
    if timings { StandardError.write(times.table()) }
    if isTrial, let identifier = run.identifier { try Trial(identifier).settle(keeps: keeping.name != nil) }
    do {
      let status = try result.get()
      if status != 0 { throw ExitCode(status) }
    } catch let error as NovmError {
      guard machine.image == nil, let hint = ImageHint.of(error, words) else { throw error }
      throw CommandFailure(error.message + hint, exitStatus: error.exitStatus)
    }
  }
}

/// Where what a machine is like may stand.
struct DescriptionOptions: ParsableArguments {
  /// Never seen here: see ``MachineFile/expand(_:)``.
  @Option(
    name: [.customShort("f"), .long],
    help: ArgumentHelp(
      "Take the machine's description from a YAML file, by the names of these options.",
      discussion: "What the command line says comes after it. - is standard input.", valueName: "path"),
    completion: .file(extensions: ["yaml", "yml", "json"]))
  var file: String?

}

/// Whether a command in the background has input, and what gets its words.
struct InputOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The program that gets the command's words, in place of an image's own.", valueName: "PROGRAM"))
  var entrypoint: String?

  @Flag(
    name: [.short, .long],
    help: "In the background: keep the command's input open, for `novm attach`. With --terminal it is.")
  var interactive = false
}

/// What a machine is called, and how one comes back to it.
struct KeepingOptions: ParsableArguments {
  @Flag(help: "Remove the machine once it has ended, though it has a name or runs in the background.")
  var rm = false

  @Option(
    help: ArgumentHelp(
      "A name for the machine, which is kept until `novm rm`.", valueName: "name"))
  var name: String?
}

/// How `novm run` ends, or goes on without the terminal.
struct EndingOptions: ParsableArguments {
  @Flag(name: .customLong("try"), help: "Show what changed afterwards, and ask whether to apply it to the host.")
  var isTrial = false

  @Flag(name: [.short, .long], help: "Leave the machine in the background and print its identifier.")
  var detach = false
}

/// The words of a command line from the first on that is no option of novm's.
struct CommandWords {
  /// Those that the parser was not shown, once and before it was (``SplitWords``).
  nonisolated(unsafe) static var given: [String]?

  /// Without the `--` before them.
  let words: [String]

  /// - Throws: the help, if that was asked for, or a word about an option that novm does not know.
  init<Command: ParsableCommand>(_ words: [String], of command: Command.Type) throws {
    let words = Self.given ?? words
    // Everything from the first thing on that is not known is taken for the command.
    if let first = words.first, first.hasPrefix("-"), first != "--" {
      if first == "-h" || first == "--help" { throw CleanExit.helpRequest(command) }
      throw ValidationError(Suggestion.unknownOption(first, of: command))
    }
    self.words = words.first == "--" ? Array(words.dropFirst()) : words
  }
}
