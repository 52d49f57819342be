import ArgumentParser
import Images
import NovmKit
import Packs
import Registry

extension ImageCommand {
  struct Push: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "push",
      abstract: "Bring an image to a registry.",
      discussion: """
        To where its name leads, or another name that is given. Layers that came from that registry are there, or are taken over from \
        the repository that they came from; others are written anew and compressed, so that the image has another digest there \
        than the one that it came with. Prints the name with the digest.

        Examples:
          novm push localhost:5000/team/app:1
          novm push app:1 registry.example.org/team/app:1
        """)

    @Argument(help: "The image.")
    var image: String

    @Argument(help: "What it is to be called there; the same if not given.")
    var destination: String?

    @Flag(name: .shortAndLong, help: "Print the digest only.")
    var quiet = false

    @Option(help: ArgumentHelp("How to compress layers.", valueName: "gzip|zstd|none"))
    var compress = ArchiveExport.Compression.gzip

    @OptionGroup var connection: RegistryOptions

    func run() throws {
      let store = ImageCommand.store
      let held = try store.holdLayers()
      let image = try store.find(image)
      let name = destination ?? self.image
      guard let reference = ImageReference(name), reference.digest == nil,
        destination != nil || image.references.contains(reference)
      else {
        throw CommandFailure("\(name): to which name? novm push IMAGE REGISTRY/PATH:TAG")
      }
      let access = try connection.access()
      let source = try access.configuration.destination(of: reference)
      let line = ProgressLine()
      defer { line.clear() }
      let layers = image.configuration.rootfs.layers
      let push = try ImagePush(to: source, access, store: store, layers: layers, compression: compress)
      let digest = try push.push(image, tag: reference.tag) { place, bytes, all in
        if !quiet { line.show(ProgressBar.text("layer \(place + 1) of \(layers.count)", bytes, of: all)) }
      } done: { place, outcome in
        if quiet { return }
        line.clear()
        let layer = layers[place].hexadecimal.prefix(12)
        switch outcome {
        case .there: StandardError.write("\(layer): there\n")
        case .mounted(let repository): StandardError.write("\(layer): there, from \(repository)\n")
        case .sent(let size): StandardError.write("\(layer): \(ByteCount.text(size)) sent\n")
        }
      }
      line.clear()
      // Until here.
      _ = held.raw
      print(quiet ? digest.description : "\(reference.familiar)@\(digest)")
    }
  }
}
