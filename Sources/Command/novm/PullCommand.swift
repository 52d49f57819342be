import ArgumentParser
import Images
import NovmKit
import Registry

extension ImageCommand {
  struct Pull: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "pull",
      abstract: "Bring images in from registries.",
      discussion: """
        Names are as everybody writes them; which registry a name without one stands for, mirrors and such are said by \
        registries.conf, credentials by novm login, Docker or Podman, and certificates lie in certs.d. What is there already \
        is not fetched again.

        Examples:
          novm pull debian:12
          novm pull registry.example.org/hello@sha256:…
          novm pull --quiet localhost:5000/team/app
        """)

    @Argument(help: "The images.")
    var images: [String]

    @Flag(name: .shortAndLong, help: "Print identifiers only.")
    var quiet = false

    @Option(help: ArgumentHelp("The registry of names that have none; NOVM_REGISTRY otherwise.", valueName: "host"))
    var registry: String?

    @Option(help: ArgumentHelp("What machines are, and nothing else.", valueName: "linux/amd64"))
    var platform: Platform?

    @OptionGroup var connection: RegistryOptions

    func run() throws {
      let access = try connection.access()
      try CommandFailure.tellEach(images) { name in
        let pull = ImagePull(access, registry: registry ?? Registries.chosen, LayerProgress(isQuiet: quiet))
        let image = try pull.pull(name)
        print(quiet ? image.id.description : image.references.first?.familiar ?? image.shortID)
      }
    }
  }
}
