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
    subcommands: [Import.self, List.self, Inspect.self, Remove.self])

  static var store: KernelStore {
    KernelStore(directory: Surroundings.paths.kernels)
  }
}

extension KernelCommand {
  struct Import: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Make a kernel ready to boot.",
      discussion: """
        Without arguments, the running system's kernel. One of the same name is replaced. Prints the kernel's name.

        Examples:
          novm kernel import
          novm kernel import --deb linux-image-amd64
          novm kernel import --deb ./linux-image-6.1.0-56-cloud-amd64_6.1.192-2_amd64.deb
          novm kernel import arch/x86/boot/bzImage --modules /tmp/root/lib/modules/6.12.0 --name mine
        """)

    @Argument(help: "A bzImage (vmlinuz) or an ELF vmlinux.", completion: .file())
    var image: String?

    @Option(help: "The directory of the kernel's modules, such as /lib/modules/RELEASE.", completion: .directory)
    var modules: String?

    @Option(
      help: """
        A Debian package: a file (with a / or ending in .deb), or a name to download. Give more than one file where a \
        distribution packs modules apart.
        """,
      completion: .file(extensions: ["deb"]))
    var deb: [String] = []

    @Option(help: "Name it otherwise than by its release.")
    var name: String?

    func validate() throws {
      if image != nil && !deb.isEmpty { throw ValidationError("give an image or --deb, not both") }
      if image == nil && modules != nil { throw ValidationError("--modules goes with an image: the kernel's file") }
      if deb.count > 1 && !deb.allSatisfy(Self.isFile) {
        throw ValidationError("more than one --deb: each must be a package's file")
      }
    }

    private static func isFile(_ package: String) -> Bool { package.contains("/") || package.hasSuffix(".deb") }

    private var source: KernelSource {
      if let image { return .image(path: image, modules: modules) }
      if deb.isEmpty { return .runningSystem }
      return deb.allSatisfy(Self.isFile) ? .packageFiles(deb) : .package(name: deb[0])
    }

    func run() throws {
      let noguest = Surroundings.programs.noguest
      guard FileManager.default.fileExists(atPath: noguest) else {
        throw NovmError.programMissing(noguest)
      }
      let line = ProgressLine()
      defer { line.clear() }
      let bundle = try KernelCommand.store.import(source, name: name, noguest: noguest) { line.show($0.text) }
      line.clear()
      if bundle.description.support.evidence == .strings {
        StandardError.write(
          """
          novm: warning: \(bundle.name) carries no configuration and came without modules: what it supports is guessed \
          from names in its image; give --modules DIR to know\n
          """)
      }
      print(bundle.name)
    }
  }

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
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
      var status: Int32?
      for name in names {
        do throws(KernelBundleError) {
          try KernelCommand.store.remove(name)
        } catch {
          let failure = CommandFailure(error.message)
          failure.tell()
          status = status ?? failure.exitStatus
        }
      }
      if let status { throw ExitCode(status) }
    }
  }
}

/// What `inspect` and `list` tell of a bundle.
private struct BundleReport: Encodable {
  var name: String
  var directory: String
  var kernel: BundleDescription

  init(_ bundle: KernelBundle) {
    name = bundle.name
    directory = bundle.directory
    kernel = bundle.description
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
