import ArgumentParser
import Host
import Images
import NovmKit
import Packs
import Store

struct CommitCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "commit",
    abstract: "Make a pack, or an image, of what a machine wrote.",
    discussion: """
      As a layer over the same directories the pack shows what the machine saw: removed files stay removed. Prints the \
      pack's digest. The machine must not run.

      With --image it becomes a layer above those of the image that the machine was made of: an image that says of its command what \
      that one does. Volumes and shares are no part of it. Prints the image's identifier.

      Examples:
        novm commit work tools
        novm run --read / --pack tools -- /usr/local/bin/tool
        novm commit --image --message 'with curl' --change 'CMD ["curl"]' box localhost/box:2
      """)

  @Argument(help: "The machine's name or identifier.", completion: .machines)
  var machine: String

  @Argument(help: "The new pack's name, the machine's if not given; or the image's, which may have none.")
  var name: String?

  @Flag(help: "Make an image, above the one that the machine was made of.")
  var image = false

  @Option(
    name: [.short, .long], help: ArgumentHelp("With --image: what was changed, for its history.", valueName: "words"))
  var message: String?

  @Option(name: [.short, .long], help: ArgumentHelp("With --image: who changed it.", valueName: "name"))
  var author: String?

  @OptionGroup var saying: ImageChangeOptions

  @OptionGroup var options: PackMakingOptions

  func validate() throws {
    if !image, message != nil || author != nil || !saying.change.isEmpty {
      throw ValidationError("--message, --author, --change: for an image; give --image")
    }
    if image, options.owner != nil || options.replace {
      throw ValidationError("--owner, --replace: for packs; leave out --image")
    }
  }

  func run() throws {
    let record = try Machines.find(machine)
    // Nobody starts, applies, discards or removes it meanwhile.
    let directory = try Machines.all.open(record)
    defer { withExtendedLifetime(directory) {} }
    guard let source = try ChangedMachine(record).trees.rootWrites else {
      throw CommandFailure("\(record.name): what it writes to / goes to a volume or share; there is nothing to commit")
    }
    let patterns = try options.patterns()
    if image { return try commit(DirectorySource(source, patterns: patterns), of: record) }
    try options.make(name ?? record.name, origin: "machine \(record.name)") { (builder, progress) throws(PackError) in
      try DirectorySource(source, patterns: patterns).read(into: builder) { progress("reading: \($0) files") }
    }
  }

  private func commit(_ changes: DirectorySource, of record: MachineRecord) throws {
    var references: [ImageReference] = []
    if let name {
      guard let reference = ImageReference(name), reference.digest == nil else { throw ImageError.reference(name) }
      references = [reference]
    }
    let store = ImageCommand.store
    let base = try Machines.all.imageBelow(record)
    let line = ProgressLine()
    defer { line.clear() }
    let image = try store.commit(
      changes, above: base,
      ImageCommit(
        origin: "machine \(record.name)", author: author, message: message, changes: try saying.changes),
      references: references
    ) { line.show("\(record.name): reading: \($0) files") }
    line.clear()
    if options.json { return try JSONOutput.print(ImageReport(image, isWhole: true)) }
    print(image.id)
  }
}
