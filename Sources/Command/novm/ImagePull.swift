import Glibc
import Host
import Images
import NovmKit
import Packs
import Registry

/// Brings an image in from where its name leads, and says how that goes.
struct ImagePull {
  private let access: RegistryAccess
  private let registry: String?
  private let audience: any PullAudience

  /// - Parameter registry: of names that have none, in place of what the configuration says.
  init(_ access: RegistryAccess, registry: String?, _ audience: any PullAudience) {
    self.access = access
    self.registry = registry
    self.audience = audience
  }

  /// - Returns: the image, the name that was pulled the first of its references.
  func pull(_ text: String) throws -> Image {
    let (references, source) = try access.configuration.candidates(text, registry: registry)
    guard references.count != 1 || source != nil else { return try pull(references[0]) }
    for reference in references {
      do {
        let image = try pull(reference)
        audience.say("\(text): \(reference.description), by \(source ?? "registries.conf")")
        return image
      } catch let error as RegistryError where references.count > 1 {
        switch error {
        case .noSuchImage, .denied, .download: continue
        default: throw error
        }
      }
    }
    throw RegistryError.shortName(text, registries: references.map(\.registry))
  }

  private func pull(_ reference: ImageReference) throws -> Image {
    try ImageCommand.store.requireName(reference)
    let sources = try access.configuration.sources(of: reference)
    for (place, source) in sources.enumerated() {
      do {
        return try pull(reference, from: source)
      } catch let error as RegistryError where place < sources.count - 1 {
        // A mirror that has it not, or is not there, is passed over.
        if case .layer = error { throw error }
        audience.say("\(source.host): \(error.message)")
      }
    }
    throw RegistryError.noSuchImage(reference.familiar)
  }

  private func pull(_ reference: ImageReference, from source: RegistriesConfiguration.Source) throws -> Image {
    let store = ImageCommand.store
    let client = try RegistryClient(source, access)
    if let digest = try RemoteImage.digest(of: reference, at: client), store.isCurrent(reference, digest) {
      return try store.find(reference.description).led(by: reference)
    }
    let remote = try RemoteImage(reference, at: client)
    let name = reference.familiar
    let layers = remote.manifest.layers
    let parts = try ImageParts(
      source: name, configuration: remote.configurationBytes,
      layers: layers.map { layer in
        ImageParts.Layer(digest: layer.digest) { () throws(ImageError) in throw .malformed(source: name, "not fetched")
        }
      }, references: [reference])
    let adding = try store.holdLayers()
    audience.begin(layers.map { (String($0.digest.hexadecimal.prefix(12)), $0.size) })
    do {
      defer { audience.end() }
      try LayerPull(
        remote, diffs: parts.configuration.rootfs.layers, store: store, access: access,
        decoder: UnpackLayerCommand.decoder, tell: audience.take
      ).run()
    }
    let image = try store.record(parts, references: [reference], led: remote.digest, manifest: remote.manifestBytes)
    // Until here.
    _ = adding.raw
    return image.led(by: reference)
  }
}

extension Image {
  /// The same, under the name that somebody gave.
  fileprivate func led(by reference: ImageReference) -> Image {
    var image = self
    image.references = [reference] + references.filter { $0 != reference }
    return image
  }
}
