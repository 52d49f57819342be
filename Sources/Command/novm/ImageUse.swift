import Images
import NovmKit
import Registry

/// A machine that is made of an image: its layers are packs, its configuration is what the command line does not say.
extension MachineSettings {
  /// The same, made of the image that it names, if it names one.
  ///
  /// What is written down is the image of now: a name may lead to another one later.
  ///
  /// - Returns: also what keeps the layers until the machine's description, or the machine itself, does: for as long as
  ///   it lives.
  func ofImage() throws -> (settings: MachineSettings, image: Image?, layers: SharedFile?) {
    guard let name = image else { return (self, nil, nil) }
    let layers = SharedFile(try ImageCommand.store.holdLayers())
    let image = try Self.image(name)
    var settings = self
    settings.image = image.id.description
    settings.pack = image.packs + pack
    return (settings, image, layers)
  }

  /// An image that is here, or can be had.
  private static func image(_ name: String) throws -> Image {
    let store = ImageCommand.store
    do throws(ImageError) {
      return try store.find(name)
    } catch {
      guard case .noSuchImage = error, let reference = ImageReference(name) else { throw error }
      let access = try Registries.access()
      // A short name may stand for what was pulled from elsewhere.
      for candidate in try access.configuration.candidates(name, registry: Registries.chosen).references {
        if candidate != reference, let image = try? store.find(candidate.description) { return image }
      }
      return try ImagePull(access, registry: Registries.chosen, isQuiet: false).pull(name)
    }
  }
}

extension CommandSettings {
  /// The command as an image has it, where the command line says nothing else; nil where neither names a command.
  ///
  /// - Parameter entrypoint: the program that gets the command's words, in place of the image's.
  func of(_ image: Image?, entrypoint: String? = nil) -> CommandSettings? {
    var settings = self
    let program = entrypoint.map { $0.isEmpty ? [] : [$0] }
    settings.command = image?.command(command, entrypoint: program) ?? (program ?? []) + command
    guard let image else { return settings.command.isEmpty ? nil : settings }
    let process = image.configuration.config
    settings.env = image.environment(env)
    settings.cwd = cwd ?? process?.workingDirectory.flatMap { $0.isEmpty ? nil : $0 }
    settings.user = user ?? process?.user.flatMap { $0.isEmpty ? nil : $0 }
    return settings.command.isEmpty ? nil : settings
  }
}
