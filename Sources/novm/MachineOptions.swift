import ArgumentParser
import Host
import NovmKit

/// What machine to make; the same for every command that makes one.
struct MachineOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Show a host directory to the guest; without GUEST=>, as its /. Repeatable, later ones win.",
      discussion: "Without one for /, the guest's / is the host's.", valueName: "[GUEST=>]HOST"),
    completion: .directory)
  var read: [String] = []

  @Option(
    help: ArgumentHelp(
      "Let the guest's writes land in a host directory. Repeatable.",
      discussion: "Without one for /, they land in a directory that is removed at the end.",
      valueName: "[GUEST=>]HOST"),
    completion: .directory)
  var write: [String] = []

  @Option(
    help: ArgumentHelp(
      "Give the guest a host directory as it is, changes going both ways. Repeatable.",
      discussion: """
        :ro lets the guest only read. :cache=none shows each change of the host's at once, auto (the default) within a \
        second and with each open, always never.
        """, valueName: "[GUEST=>]HOST[:ro][,cache=none|auto|always]"),
    completion: .directory)
  var share: [String] = []

  @Option(
    help: ArgumentHelp(
      "Keep the guest's writes at a path from machine to machine, under a name. Repeatable.",
      discussion: "One machine at a time can use a volume.", valueName: "NAME=>GUEST"))
  var volume: [String] = []

  @Option(
    help: ArgumentHelp("Do not show a path of the read layers to the guest. Repeatable.", valueName: "GUEST"))
  var hide: [String] = []

  @Option(
    help: ArgumentHelp(
      "As root: which users of the host own what the guest's users own. Repeatable.",
      discussion: "Holds for what the guest writes and for shares.", valueName: "GUEST:HOST:COUNT"))
  var uidmap: [String] = []

  @Option(help: ArgumentHelp("The same for groups. Repeatable.", valueName: "GUEST:HOST:COUNT"))
  var gidmap: [String] = []

  @Option(
    name: [.short, .long], parsing: .unconditional,
    help: ArgumentHelp("The guest's memory: MiB, or with K, M, G, T.", valueName: "size"))
  var memory = "512M"

  @Option(
    help: ArgumentHelp(
      "Let the guest map large files of its read layers from the host's page cache.",
      discussion: "The size of the window for it: as much as the guest's memory with auto.",
      valueName: "size|auto|off"))
  var dax = DAXWindow.off

  @Option(parsing: .unconditional, help: ArgumentHelp("The guest's processors.", valueName: "count"))
  var cpus = "1"

  @Option(
    help: ArgumentHelp("A kernel's name, or its directory; the newest if not given.", valueName: "name|path"),
    completion: .kernels)
  var kernel: String?

  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp("More for the kernel's command line. Repeatable.", valueName: "words"))
  var cmdline: [String] = []

  @Option(help: ArgumentHelp("The guest's host name.", valueName: "name"))
  var hostname = "novm"

  @Flag(help: "Show the kernel's log on standard error.")
  var com1 = false

  func request(verbose: Bool) throws -> MachineRequest {
    let directory = Surroundings.workingDirectory
    var request = MachineRequest()
    request.kernel = MachineRequest.Kernel(kernel)
    guard let memory = MemorySize(memory) else { throw NovmError.memory(memory) }
    request.memory = memory
    guard let processors = Int(cpus) else { throw NovmError.processorCount(cpus, most: MachineRequest.mostProcessors) }
    request.processors = processors
    request.reads = try read.map { try TreeMap(parsing: ByteString.bytes($0), directory: directory) }
    request.writes = try write.map { try TreeMap(parsing: ByteString.bytes($0), directory: directory) }
    request.shares = try share.map { try TreeShare(parsing: ByteString.bytes($0), directory: directory) }
    request.volumes = try volume.map { try VolumeMap(parsing: ByteString.bytes($0)) }
    request.hides = hide.map(ByteString.bytes)
    request.users = try uidmap.map { try Self.range($0, option: "--uidmap") }
    request.groups = try gidmap.map { try Self.range($0, option: "--gidmap") }
    request.window = dax
    request.hostname = hostname
    request.commandLine = Array(cmdline.map(ByteString.bytes).joined(separator: [UInt8(ascii: " ")]))
    request.serialLog = com1
    request.verbose = verbose
    try request.validate(host: .current)
    return request
  }

  private static func range(_ text: String, option: String) throws -> IDRange {
    guard let range = IDRange(text) else { throw NovmError.idMap(option: option, ByteString.printable(text)) }
    return range
  }
}

extension DAXWindow: ExpressibleByArgument {
  package init?(argument: String) { self.init(argument) }
  package var defaultValueDescription: String { description }
}
