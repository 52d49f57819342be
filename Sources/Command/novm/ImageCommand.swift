import ArgumentParser
import FoundationEssentials
import Glibc
import Host
import Images
import NovmKit
import Packs

struct ImageCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "image",
    abstract: "Manage container images, of which machines are made by --image.",
    discussion: """
      A layer of an image is a pack, so that images share their layers and nothing is built. Docker's names work too: \
      novm images, pull, push, load, save, import, tag, rmi, history.

      Examples:
        novm pull debian:12
        docker save debian:12 | novm load
        novm run --image debian:12 -- cat /etc/os-release
      """,
    subcommands: [
      List.self, Pull.self, Push.self, Load.self, Save.self, Import.self, Tag.self, Inspect.self, History.self,
      Remove.self,
    ])

  static var store: ImageStore { Machines.all.images }

  /// Confines this process to the store, and runs `body`, which brings something of a stranger's in.
  ///
  /// - Parameter input: a directory that is read; `body` gets the path that it is at.
  static func decode(reading input: String? = nil, _ body: (ImageStore, String?) throws -> Void) throws {
    let store = store
    let stores = [store.directory, store.packs.directory]
    try DecoderConfinement.decode(into: stores, reading: input.map { [$0] } ?? []) { places in
      let packs = PackStore(directory: places[store.packs.directory])
      try body(ImageStore(directory: places[store.directory], packs: packs), input.map { places[$0] })
    }
  }
}

extension ImageCommand {
  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "ls",
      abstract: "List images.",
      discussion: """
        --format prints a line for each name, with {{.ID}}, {{.Digest}}, {{.Name}}, {{.Repository}}, {{.Tag}}, {{.Created}}, \
        {{.Layers}} and {{.Size}} replaced.

        Examples:
          novm images --json
          novm images debian
          novm images --quiet --filter dangling=true
          novm images --format '{{.Name}} {{.Size}}'
        """,
      aliases: ["list"])

    @Argument(help: "Only those of this name, with any tag if it has none.")
    var name: String?

    @Option(
      name: [.short, .long], parsing: .unconditionalSingleValue,
      help: ArgumentHelp(
        "Only images with this label, or without a name (dangling=true), or with one (false). Repeatable.",
        valueName: "label=KEY[=VALUE]|dangling=true|false"))
    var filter: [String] = []

    @Flag(name: .shortAndLong, help: "All; there are no others than are shown.")
    var all = false

    @Flag(help: "Print identifiers as they are.")
    var noTrunc = false

    @Flag(help: "Print JSON: a list of objects.")
    var json = false

    @Option(help: ArgumentHelp("Print this for each name, or JSON by the word json.", valueName: "template"))
    var format: String?

    @Flag(name: .shortAndLong, help: "Print identifiers only.")
    var quiet = false

    /// What a template may have.
    private enum Field: String, CaseIterable {
      case identifier = "ID"
      case digest = "Digest"
      case name = "Name"
      case repository = "Repository"
      case tag = "Tag"
      case created = "Created"
      case layers = "Layers"
      case size = "Size"
    }

    private var isJSON: Bool { json || format == "json" }

    func validate() throws {
      if let format, !isJSON { _ = try LineTemplate<Field>(format) }
      if let name, ImageReference(name) == nil { throw ImageError.reference(name) }
      for text in filter where ImageFilter(text) == nil {
        throw ValidationError(
          "--filter: '\(ByteString.printable(text))' is not label=KEY[=VALUE] or dangling=true|false")
      }
    }

    /// Those that are asked for, each with the names that are.
    private func images() throws -> [Image] {
      let filters = filter.compactMap { ImageFilter($0) }
      let wanted = name.flatMap { ImageReference($0) }
      // Without a tag it is for all of them.
      let hasTag = name.map { $0.split(separator: "/").last?.contains(":") == true || $0.contains("@") } ?? false
      return try ImageCommand.store.list().compactMap { image in
        guard filters.allSatisfy({ $0.takes(image) }) else { return nil }
        guard let wanted else { return image }
        var image = image
        image.references = image.references.filter {
          hasTag ? $0 == wanted : $0.registry == wanted.registry && $0.repository == wanted.repository
        }
        return image.references.isEmpty ? nil : image
      }
    }

    private func identifier(_ image: Image) -> String { noTrunc ? image.id.description : image.shortID }

    private static func text(_ field: Field, _ image: Image, _ reference: ImageReference?) -> String {
      switch field {
      case .identifier: image.shortID
      case .digest: image.id.description
      case .name: reference?.familiar ?? none
      case .repository: reference?.familiarRepository ?? none
      case .tag: reference?.tag ?? none
      case .created: ByteString.printable(image.configuration.created ?? "")
      case .layers: String(image.packs.count)
      case .size: ByteCount.text(image.record.size)
      }
    }

    private static let none = "<none>"

    func run() throws {
      let images = try images()
      if isJSON { return try JSONOutput.print(images.map { ImageReport($0) }) }
      if let format, !quiet {
        let template = try LineTemplate<Field>(format)
        for image in images {
          let references: [ImageReference?] = image.references.isEmpty ? [nil] : image.references
          for reference in references {
            print(template.fill { Self.text($0, image, reference) })
          }
        }
        return
      }
      if quiet {
        for image in images { print(identifier(image)) }
        return
      }
      var table = Table("NAME", "ID", "CREATED", "LAYERS", "SIZE")
      for image in images {
        for name in image.references.isEmpty ? ["<none>"] : image.references.map(\.familiar) {
          table.add(
            name, identifier(image), ByteString.printable(image.configuration.created ?? ""), String(image.packs.count),
            ByteCount.text(image.record.size))
        }
      }
      print(table.text)
    }
  }

  struct Load: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "load",
      abstract: "Bring images in from a file or directory.",
      discussion: """
        What docker save, podman save, buildah and skopeo write: an OCI image layout, as a directory or a tar archive, or \
        Docker's own archive; compressed or not. Prints the images' names.

        Examples:
          docker save debian:12 | novm load
          novm load --input app.tar
          novm load --input ./layout --name app:1.0
        """)

    @Option(
      name: [.short, .long],
      help: ArgumentHelp("The file or directory; standard input if not given.", valueName: "path"))
    var input: String?

    @Option(
      help: ArgumentHelp(
        "What the image is to be called, in place of what is written in there.", valueName: "reference"))
    var name: String?

    @Flag(name: .shortAndLong, help: "Print identifiers only.")
    var quiet = false

    func run() throws {
      var reference: ImageReference?
      if let name {
        guard let parsed = ImageReference(name), parsed.digest == nil else { throw ImageError.reference(name) }
        reference = parsed
      }
      if input == nil, isatty(STDIN_FILENO) == 1 {
        throw ValidationError("no image on standard input, which is a terminal; give --input FILE")
      }
      let line = ProgressLine()
      defer { line.clear() }
      let isDirectory = input.map { Self.isDirectory($0) } ?? false
      let file = isDirectory ? nil : try input.map { SharedFile(try ArchiveName.open($0)) }
      try ImageCommand.decode(reading: isDirectory ? input : nil) { store, directory in
        let images =
          try directory.map { try ImageParts.images(in: ImageDirectory($0, source: source)) }
          ?? archive(file?.file.raw ?? STDIN_FILENO, store, line)
        try add(images, reference, to: store, line)
      }
    }

    private static func isDirectory(_ path: String) -> Bool {
      var status = stat()
      return path != "-" && stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// For people.
    private var source: String {
      guard let input, input != "-" else { return "standard input" }
      return ByteString.printable(input)
    }

    private func archive(_ file: Int32, _ store: ImageStore, _ line: ProgressLine) throws -> [ImageParts] {
      let bytes = ArchiveInput(FileBytes(file, path: Array(source.utf8))) {
        line.show(ProgressBar.text("reading", $0, of: nil))
      }
      return try ImageParts.images(in: try ImageArchive(bytes, source: source, store: store.packs))
    }

    private func add(
      _ images: [ImageParts], _ reference: ImageReference?, to store: ImageStore, _ line: ProgressLine
    ) throws {
      if reference != nil, images.count > 1 {
        throw ImageError.several(
          source: images[0].source, images.map { $0.references.first?.familiar ?? String($0.id.hexadecimal.prefix(12)) }
        )
      }
      for parts in images {
        let image = try store.add(parts, references: reference.map { [$0] } ?? parts.references) { place, bytes in
          line.show(ProgressBar.text("layer \(place + 1) of \(parts.layers.count): reading", bytes, of: nil))
        }
        line.clear()
        print(quiet ? image.id.description : image.name)
      }
    }
  }

  struct Import: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "import",
      abstract: "Make an image of a tree in a tar archive.",
      discussion: """
        What docker export writes, or tar: an image of one layer, which names no command. Compressed or not. Prints its name.

        Examples:
          docker export box | novm import - box:1
          novm import --change 'CMD ["/bin/sh"]' rootfs.tar.xz localhost/base:1
        """)

    @Argument(help: "The archive; - is standard input.")
    var file: String

    @Argument(help: "What the image is to be called.")
    var name: String?

    @Option(name: [.short, .long], help: ArgumentHelp("What it is, for its history.", valueName: "words"))
    var message: String?

    @OptionGroup var saying: ImageChangeOptions

    func run() throws {
      var references: [ImageReference] = []
      if let name {
        guard let reference = ImageReference(name), reference.digest == nil else { throw ImageError.reference(name) }
        references = [reference]
      }
      let line = ProgressLine()
      defer { line.clear() }
      let source = file == "-" ? "standard input" : ByteString.printable(file)
      let archive = try ArchiveName.open(file)
      let bytes = ArchiveInput(FileBytes(archive.raw, path: Array(source.utf8))) {
        line.show(ProgressBar.text("reading", $0, of: nil))
      }
      let changes = try saying.changes
      try ImageCommand.decode { store, _ in
        let parts = try ImageParts.imported(
          bytes, source: source, time: Date(), message: message, changes: changes, references: references,
          store: store.packs)
        let image = try store.add(parts, references: references)
        line.clear()
        print(references.first?.familiar ?? image.id.description)
      }
    }
  }

  struct Tag: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "tag",
      abstract: "Give an image a further name.",
      discussion: """
        Example:
          novm tag debian:12 localhost/base:1
        """)

    @Argument(help: "The image: a name, an identifier, or the beginning of one.")
    var image: String

    @Argument(help: "The new names.")
    var names: [String]

    func run() throws {
      // All of them are looked at before any is given.
      let references = try names.map { name in
        guard let reference = ImageReference(name), reference.digest == nil else { throw ImageError.reference(name) }
        try ImageCommand.store.requireName(reference)
        return reference
      }
      for reference in references { try ImageCommand.store.tag(image, as: reference) }
    }
  }

  struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "inspect",
      abstract: "Print all that is known of images, as JSON.",
      discussion: """
        Example:
          novm image inspect debian:12
        """)

    @Argument(help: "The images.")
    var images: [String]

    func run() throws {
      var reports: [ImageReport] = []
      defer { try? JSONOutput.print(reports) }
      try CommandFailure.tellEach(images) {
        reports.append(ImageReport(try ImageCommand.store.find($0), isWhole: true))
      }
    }
  }

  struct History: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "history",
      abstract: "Show what an image was made by.",
      discussion: """
        Example:
          novm history debian:12
        """)

    @Argument(help: "The image.")
    var image: String

    func run() throws {
      var table = Table("CREATED", "LAYER", "CREATED BY")
      let image = try ImageCommand.store.find(image)
      var layers = image.configuration.rootfs.layers[...]
      var rows: [(String, String, String)] = []
      for step in image.configuration.history ?? [] {
        let layer = step.isEmpty == true ? nil : layers.popFirst()
        rows.append(
          (
            ByteString.printable(step.created ?? ""), layer.map { String($0.hexadecimal.prefix(12)) } ?? "",
            ByteString.printable(step.createdBy ?? step.comment ?? "")
          ))
      }
      // The last first, as everybody has it.
      for row in rows.reversed() { table.add(row.0, row.1, row.2) }
      print(table.text)
    }
  }

  struct Remove: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "rm",
      abstract: "Remove images, or names of them.",
      discussion: """
        An image goes with its last name, and layers go with the last image that has them. One that a machine is made of \
        is kept, and said to be in use.

        Example:
          novm rmi debian:12
        """,
      aliases: ["remove"])

    @Argument(help: "The images: names, identifiers, or beginnings of these.")
    var images: [String]

    @Flag(name: [.short, .long], help: "Remove an image with all its names.")
    var force = false

    func run() throws {
      try CommandFailure.tellEach(images) { name in
        for removal in try ImageCommand.store.remove(name, force: force, users: Machines.all.packUsers) {
          switch removal {
          case .untagged(let reference): print("untagged: \(reference.familiar)")
          case .removed(let id): print("removed: \(id)")
          }
        }
      }
    }
  }
}

/// What commands tell of an image.
struct ImageReport: Encodable {
  var id: Digest
  var names: [String]
  var created: String?
  var loaded: Date
  var origin: String
  var size: UInt64
  var layers: [Digest]
  var configuration: ImageConfiguration.Process?
  var history: [ImageConfiguration.History]?

  /// - Parameter isWhole: with what only `inspect` shows.
  init(_ image: Image, isWhole: Bool = false) {
    id = image.id
    names = image.references.map(\.familiar)
    created = image.configuration.created
    loaded = image.record.loaded
    origin = image.record.origin
    size = image.record.size
    layers = image.configuration.rootfs.layers
    configuration = isWhole ? image.configuration.config : nil
    history = isWhole ? image.configuration.history : nil
  }
}
