import ArgumentParser
import FoundationEssentials
import KernelBundle
import NovmKit
import Store

struct KernelCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "kernel",
    abstract: "Manage the kernels that machines boot.",
    discussion: """
      A kernel is imported once: unpacked, its modules resolved, its first root made. Kernels are kept in \
      $NOVM_KERNELS, else $NOVM_ROOT/kernels, else ~/.local/share/novm/kernels (/var/lib/novm/kernels for root).
      """,
    subcommands: [Import.self, Export.self, List.self, Inspect.self, Remove.self])

  static var store: KernelStore {
    KernelStore(directory: Surroundings.paths.kernels)
  }
}

extension KernelCommand {
  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "list",
      abstract: "List kernels, newest first.",
      discussion: """
        The newest release, and of one release the last imported. `novm run` takes the first unless told otherwise.

        Example:
          novm kernel list --json
        """,
      aliases: ["ls"])

    @Flag(help: "Print JSON: a list of objects.")
    var json = false

    func run() throws {
      let listing = try KernelCommand.store.list()
      for damaged in listing.damaged { StandardError.write("novm: warning: \(damaged.error.message)\n") }
      let bundles = listing.bundles
      if json { return try JSONOutput.print(bundles.map(BundleReport.init)) }
      var table = Table("NAME", "RELEASE", "IMPORTED", "SIZE", "FROM")
      for bundle in bundles {
        let description = bundle.description
        table.add(
          bundle.name, description.release, description.imported.formatted(.iso8601), size(description.size),
          description.origin.name)
      }
      print(table.text)
    }
  }

  struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "inspect",
      abstract: "Show what is known of a kernel.",
      discussion: """
        Example:
          novm kernel inspect 6.1.0-56-cloud-amd64
        """)

    @Argument(help: "The kernel's name; the newest if none is given.", completion: .kernels)
    var name: String?

    @Flag(help: "Print JSON.")
    var json = false

    func run() throws {
      let store = KernelCommand.store
      let bundle = if let name { try store.bundle(named: name) } else { try store.newest() }
      if json { return try JSONOutput.print(BundleReport(bundle)) }
      print(BundleReport(bundle).text)
    }
  }

  struct Remove: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "rm",
      abstract: "Remove kernels.",
      discussion: """
        Example:
          novm kernel rm 6.1.0-56-cloud-amd64
        """,
      aliases: ["remove"])

    @Argument(help: "The kernels' names.", completion: .kernels)
    var names: [String]

    func run() throws {
      try CommandFailure.tellEach(names) { try KernelCommand.store.remove($0) }
    }
  }
}

/// What `inspect` and `list` tell of a bundle.
private struct BundleReport: Encodable {
  var name: String
  var directory: String
  var kernel: BundleDescription
  var relocations: Int?

  init(_ bundle: KernelBundle) {
    name = bundle.name
    directory = bundle.directory
    kernel = bundle.description
    relocations = bundle.relocationCount
  }

  var text: String {
    let support = kernel.support
    var lines: [(String, String)] = [
      ("Name", name), ("Release", kernel.release), ("Version", kernel.version ?? "-"),
      ("Build id", kernel.buildID ?? "-"), ("Directory", directory), ("Size", size(kernel.size)),
      ("From", "\(kernel.origin.kind.rawValue): \(kernel.origin.name)"),
      ("Imported", kernel.imported.formatted(.iso8601)),
      ("Packed as", kernel.payload?.rawValue ?? "vmlinux"), ("Boot protocol", kernel.bootProtocol ?? "-"),
      ("64-bit entry", kernel.entries.linux64.description), ("PVH entry", kernel.entries.pvh?.description ?? "-"),
    ]
    lines.append(("KASLR", relocations.map { "by \($0) relocations" } ?? "no: its image has no relocations"))
    lines += GuestPart.allCases.map { ($0.rawValue, support[$0].rawValue) }
    lines += [
      ("Known from", support.evidence.rawValue),
      ("Finds devices by", support.discovery),
      ("Loads modules", kernel.modules.isEmpty ? "-" : kernel.modules.joined(separator: " ")),
    ]
    let width = lines.map(\.0.count).max() ?? 0
    return lines.map { $0 + ":" + String(repeating: " ", count: width - $0.count + 1) + $1 }.joined(separator: "\n")
  }
}

extension GuestSupport {
  fileprivate var discovery: String {
    switch (acpi, commandLineDevices) {
    case (true, true): "ACPI, command line"
    case (true, false): "ACPI"
    case (false, true): "command line"
    case (false, false): "nothing that novm offers"
    }
  }
}

private func size(_ bytes: Int) -> String {
  let tenths = (bytes * 10 + (1 << 19)) >> 20
  return "\(tenths / 10).\(tenths % 10) MiB"
}
