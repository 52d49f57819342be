import Images
import NovmKit

/// A machine that is made of an image: its layers are packs, its configuration is what the command line does not say.
extension MachineSettings {
  /// The same, made of the image that it names, if it names one.
  ///
  /// What is written down is the image of now: a name may lead to another one later.
  func ofImage() throws -> (settings: MachineSettings, image: Image?) {
    guard let name = image else { return (self, nil) }
    let image = try ImageCommand.store.find(name)
    var settings = self
    settings.image = image.id.description
    settings.pack = image.packs + pack
    return (settings, image)
  }
}

extension CommandSettings {
  /// The command as an image has it, where the command line says nothing else; nil where neither names a command.
  ///
  /// - Parameter entrypoint: the program that gets the command's words, in place of the image's.
  func of(_ image: Image?, entrypoint: String? = nil) -> CommandSettings? {
    var settings = self
    if let entrypoint, !entrypoint.isEmpty { settings.command.insert(entrypoint, at: 0) }
    guard let image else { return settings.command.isEmpty ? nil : settings }
    let process = image.configuration.config
    if entrypoint == nil { settings.command = image.command(command) }
    settings.env = image.environment(env)
    settings.cwd = cwd ?? process?.workingDirectory.flatMap { $0.isEmpty ? nil : $0 }
    settings.user = user ?? process?.user.flatMap { $0.isEmpty ? nil : $0 }
    return settings.command.isEmpty ? nil : settings
  }
}
