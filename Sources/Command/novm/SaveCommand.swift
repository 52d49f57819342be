import ArgumentParser
import Glibc
import Images
import NovmKit
import Packs

extension ImageCommand {
  struct Save: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "save",
      abstract: "Write images to a file, a directory or standard output.",
      discussion: """
        What is written is an OCI image layout, and as an archive also what docker load, podman load and skopeo's docker-archive: \
        take. To a directory that is there, or a path that ends in a slash, it goes as a directory, which must have nothing in it. \
        Layers are packs here and written anew: with the same files, but mostly other digests, and then the image has another \
        identifier in there.

        Examples:
          novm save app:1 | docker load
          novm save --output app.tar app:1 app:2
          novm save --compress gzip --output layout/ app:1
        """)

    @Argument(help: "The images.")
    var images: [String]

    @Option(
      name: [.short, .long],
      help: ArgumentHelp("The file or directory; standard output if not given.", valueName: "path"),
      completion: .file())
    var output: String?

    @Option(help: ArgumentHelp("How to compress layers; not at all if not given.", valueName: "none|gzip|zstd"))
    var compress = ArchiveExport.Compression.none

    private var isDirectory: Bool {
      guard let output else { return false }
      var status = stat()
      return output.hasSuffix("/") || stat(output, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    func run() throws {
      if output == nil || output == "-", isatty(STDOUT_FILENO) == 1 {
        throw ValidationError("an image is nothing for a terminal; give --output FILE, or a pipe")
      }
      let store = ImageCommand.store
      let held = try store.holdLayers()
      // All of them are there before anything is written.
      var found: [(image: Image, references: [ImageReference])] = []
      for name in images {
        let image = try store.find(name)
        let reference = ImageReference(name).flatMap { image.references.contains($0) ? $0 : nil }
        if let place = found.firstIndex(where: { $0.image.id == image.id }) {
          found[place].references += reference.map { [$0] } ?? []
        } else {
          found.append((image, reference.map { [$0] } ?? []))
        }
      }
      let path = output ?? "-"
      if isDirectory {
        let directory = try ImageDirectoryOutput(path)
        do { try save(found, to: directory) } catch {
          directory.discard()
          throw error
        }
      } else {
        let file = try ExportFile(path)
        try save(found, to: try ImageArchiveOutput(file.descriptor, path: ByteString.bytes(path)))
        try file.finish()
      }
      // Until here.
      _ = held.raw
    }

    private func save(_ images: [(image: Image, references: [ImageReference])], to output: any ImageOutput) throws {
      let line = ProgressLine()
      defer { line.clear() }
      var export = ImageExport(ImageCommand.store, to: output, compress)
      for (image, references) in images {
        try export.add(image, references: references) { place, files, all in
          let layer = "\(image.name): layer \(place + 1) of \(image.packs.count): writing"
          line.show(ProgressBar.text(layer, UInt64(files), of: UInt64(all), unit: .files))
        }
      }
      try export.finish()
    }
  }
}
