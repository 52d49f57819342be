import Host
import Images
import NovmKit
import Registry

/// How a machine is made of an image.
struct ImageUse {
  /// Whether ports of the host's lead to all that the image exposes.
  var publishesAll: Bool
  var pull: PullPolicy
}

/// A machine that is made of an image, which is fetched where that is asked for.
extension MachineSettings {
  /// The same, made of the image that it names, if it names one.
  ///
  /// - Returns: also what keeps the layers until the machine's description, or the machine itself, does: for as long as
  ///   it lives.
  func ofImage(_ use: ImageUse) throws -> (settings: MachineSettings, image: Image?, layers: SharedFile?) {
    guard let name = image else {
      if use.publishesAll { throw NovmError.publishAllWithoutImage }
      return (self, nil, nil)
    }
    let layers = SharedFile(try ImageCommand.store.holdLayers())
    let image = try Self.image(name, use.pull)
    let settings = try made(of: image, publishesAll: use.publishesAll, directory: Surroundings.workingDirectory)
    return (settings, image, layers)
  }

  /// An image that is here, or can be had.
  private static func image(_ name: String, _ policy: PullPolicy) throws -> Image {
    let (store, reference) = (ImageCommand.store, ImageReference(name))
    let named: Image?
    do throws(ImageError) {
      named = try store.find(name)
    } catch {
      guard case .noSuchImage = error, reference != nil else { throw error }
      named = nil
    }
    // Digits name what is here, and nothing that a registry has.
    if let named, policy == .missing || policy == .never || !named.references.contains(where: { $0 == reference }) {
      return named
    }
    if policy == .never {
      if let image = try elsewhere(name) { return image }
      throw CommandFailure(
        "no image \(ByteString.printable(name)), and --pull never; novm images shows those there are")
    }
    if policy == .missing, let image = try elsewhere(name) { return image }
    do {
      return try ImagePull(try Registries.access(), registry: Registries.chosen, LayerProgress(isQuiet: false)).pull(
        name)
    } catch  where policy == .newer {
      if case NovmError.interrupted = error { throw error }
      guard let failure = CommandFailure(error), let image = try named ?? elsewhere(name) else { throw error }
      StandardError.write("novm: \(ByteString.printable(failure.message)); this is the one that is here\n")
      return image
    }
  }

  /// A short name may stand for what was pulled from elsewhere.
  private static func elsewhere(_ name: String) throws -> Image? {
    let configuration = try Registries.configuration
    for candidate in try configuration.candidates(name, registry: Registries.chosen).references {
      if let image = try? ImageCommand.store.find(candidate.description) { return image }
    }
    return nil
  }
}

extension CommandSettings {
  /// The command as an image has it, where the command line says nothing else; nil where neither names a command.
  ///
  /// - Parameter entrypoint: the program that gets the command's words, in place of the image's.
  func of(_ image: Image?, entrypoint: String? = nil, _ ending: EndAndHealthOptions) throws -> CommandSettings? {
    var settings = self
    settings.command = words(of: image, entrypoint: entrypoint)
    settings.health = try ending.health(of: HealthCheck(image))
    settings.stopSignal = ending.stopSignal
    if settings.command.isEmpty {
      guard !ending.areGiven else {
        throw CommandFailure(
          "--stop-signal, --health-cmd and the like: for a command, and there is none; give one behind --")
      }
      return nil
    }
    guard let image else { return settings }
    return try settings.completed(by: image)
  }
}
