import ArgumentParser
import FoundationEssentials
import Host
import Images
import NovmKit
import Packs
import Store

struct PackCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pack",
    abstract: "Manage packs: trees of files by name, to be layers of machines.",
    discussion: """
      A pack never changes, and files that several packs have are stored once. Packs are kept in $NOVM_PACKS, else \
      $NOVM_ROOT/packs, else ~/.local/share/novm/packs (/var/lib/novm/packs for root).

      Example:
        novm pack create tools /opt/tools
        novm run --pack 'tools=>/opt/tools' -- /opt/tools/bin/hello
      """,
    subcommands: [
      Create.self, List.self, Inspect.self, Import.self, Export.self, Verify.self, Remove.self,
    ])

  static var store: PackStore { PackStore(directory: Surroundings.paths.packs) }
}

extension PackCommand {
  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "ls",
      abstract: "List packs.",
      discussion: """
        Example:
          novm pack ls --json
        """,
      aliases: ["list"])

    @Flag(help: "Print JSON: a list of objects.")
    var json = false

    @Flag(name: .shortAndLong, help: "Print names only.")
    var quiet = false

    func run() throws {
      var listing = try PackCommand.store.list()
      // Those of images are theirs.
      listing.packs.removeAll { $0.name.hasPrefix(Image.packPrefix) }
      for damaged in listing.damaged { StandardError.write("novm: warning: \(damaged.error.message)\n") }
      if json { return try JSONOutput.print(listing.packs.map { PackReport($0) }) }
      if quiet {
        for pack in listing.packs { print(pack.name) }
        return
      }
      var table = Table("NAME", "DIGEST", "CREATED", "FILES", "SIZE", "FROM")
      for pack in listing.packs {
        let record = pack.record
        table.add(
          pack.name, String(record.digest.hexadecimal.prefix(12)), record.created.formatted(.iso8601),
          String(record.entries), ByteCount.text(record.size), record.origin)
      }
      print(table.text)
    }
  }

  struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "inspect",
      abstract: "Show what is known of a pack.",
      discussion: """
        Example:
          novm pack inspect --files tools
        """)

    @Argument(help: "The pack's name.", completion: .packs)
    var name: String

    @Flag(help: "Print its manifest: a line for each file (docs/packs.md).")
    var files = false

    @Flag(help: "Print JSON.")
    var json = false

    func validate() throws {
      if files && json { throw ValidationError("give --files or --json, not both") }
    }

    func run() throws {
      let store = PackCommand.store
      let pack = try store.pack(named: name)
      if files { return try StandardOutput.write(try store.manifest(of: pack).encoded) }
      if json { return try JSONOutput.print(PackReport(pack)) }
      print(PackReport(pack).text)
    }
  }

  struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "verify",
      abstract: "Compare packs with what they were made as.",
      discussion: """
        Every file is read. What differs is listed, and the exit status is then 1.

        Example:
          novm pack verify tools
        """)

    @Argument(help: "The packs' names; all if none is given.", completion: .packs)
    var names: [String] = []

    func run() throws {
      let store = PackCommand.store
      var isGood = true
      var packs: [Pack] = []
      if names.isEmpty {
        let listing = try store.list()
        packs = listing.packs
        for damaged in listing.damaged {
          print("\(damaged.name): \(damaged.error.message)")
          isGood = false
        }
      }
      for name in names { packs.append(try store.hold(name).pack) }
      let line = ProgressLine()
      defer { line.clear() }
      for pack in packs {
        do throws(PackError) {
          let faults = try store.verify(pack) { line.show("verifying \(pack.name): \($0) of \(pack.record.entries)") }
          line.clear()
          for fault in faults { print("\(pack.name): \(String(printable: fault.path)): \(fault.kind.words)") }
          if faults.isEmpty { print("\(pack.name): as made") } else { isGood = false }
        } catch {
          line.clear()
          guard case .damagedPack = error else { throw error }
          print("\(pack.name): \(error.message)")
          isGood = false
        }
      }
      if !isGood { throw ExitCode(1) }
    }
  }

  struct Remove: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "rm",
      abstract: "Remove packs.",
      discussion: """
        A pack that a machine has is kept, and said to be in use.

        Example:
          novm pack rm tools
        """,
      aliases: ["remove"])

    @Argument(help: "The packs' names.", completion: .packs)
    var names: [String]

    func run() throws {
      try CommandFailure.tellEach(names) { try PackCommand.store.remove($0) }
    }
  }
}

extension PackStore.Fault.Kind {
  fileprivate var words: String {
    switch self {
    case .missing: "is gone"
    case .unexpected: "does not belong to it"
    case .content: "its content was changed"
    case .metadata: "its owner, mode, time or attributes were changed"
    }
  }
}
