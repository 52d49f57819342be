import Download
import FoundationEssentials
import Images
import Packs

/// An image at a registry: its descriptions, compared with the digests that they are named by.
package struct RemoteImage {
  package let reference: ImageReference
  package let client: RegistryClient
  /// Of what the reference led to: a manifest, or an index that names it.
  package let digest: Digest
  package let manifestBytes: [UInt8]
  package let manifest: ImageManifest
  package let configurationBytes: [UInt8]

  static let types = [
    "application/vnd.oci.image.index.v1+json", "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json", "application/vnd.docker.distribution.manifest.v2+json",
  ]

  /// What the reference leads to, by the registry's word alone: nothing is fetched. nil where it does not say.
  package static func digest(of reference: ImageReference, at client: RegistryClient) throws(RegistryError) -> Digest? {
    if let digest = reference.digest { return digest }
    let answer = try client.send(.head, "manifests/\(name(reference))", fields: [accept], limit: 1 << 16)
    // Some have it for GET alone, and the reason of a refusal has a body.
    guard answer.isSuccess else { return nil }
    return answer.field("docker-content-digest").flatMap { Digest($0) }
  }

  private static var accept: Exchange.Field { .init("Accept", types.joined(separator: ", ")) }

  private static func name(_ reference: ImageReference) -> String {
    reference.digest?.description ?? reference.tag ?? ImageReference.defaultTag
  }

  /// Fetches the descriptions.
  package init(_ reference: ImageReference, at client: RegistryClient) throws(RegistryError) {
    self.reference = reference
    self.client = client
    let image = reference.familiar
    var (bytes, document) = try Self.document(
      Self.name(reference), reference.digest, image: image, at: client)
    digest = Digest.of(bytes)
    var depth = 0
    while let entries = document.manifests {
      guard depth < 4, entries.count <= 1000 else {
        throw .answer(registry: client.source.host, "an index that leads too far")
      }
      depth += 1
      let chosen = try Self.choose(entries, image: image)
      (bytes, document) = try Self.document(chosen.digest.description, chosen.digest, image: image, at: client)
    }
    guard let config = document.config, let layers = document.layers, document.schemaVersion == 2 else {
      throw .answer(registry: client.source.host, "no manifest of an image; an artifact of another kind, perhaps")
    }
    guard layers.count <= ImageManifest.mostLayers else {
      throw .answer(registry: client.source.host, "a manifest that names \(layers.count) layers")
    }
    manifestBytes = bytes
    manifest = ImageManifest(schemaVersion: 2, mediaType: document.mediaType, config: config, layers: layers)
    guard config.size <= UInt64(ImageJSON.limit) else {
      throw .answer(registry: client.source.host, "a configuration of \(config.size) bytes")
    }
    let answer = try client.send(.get, "blobs/\(config.digest)", limit: config.size) { $0.resumes = true }
    guard answer.isSuccess else { throw client.refusal(answer, of: image) }
    guard Digest.of(answer.body) == config.digest else {
      throw .image(.digest(source: image, expected: config.digest))
    }
    configurationBytes = answer.body
  }

  /// Of the platform that machines have.
  static func choose(_ entries: [ImageDescriptor], image: String) throws(RegistryError) -> ImageDescriptor {
    let images = entries.filter { !$0.isAttestation }
    let ours = images.filter { $0.platform?.isOurs ?? true }
    // Without a variant, which would be for newer processors, and with a platform rather than without.
    let order = { (entry: ImageDescriptor) in (entry.platform == nil ? 1 : 0, entry.platform?.variant == nil ? 0 : 1) }
    guard let first = ours.min(by: { order($0) < order($1) }) else {
      let has = Set(images.compactMap { $0.platform?.text }.filter { $0 != "unknown/unknown" })
      throw .image(.platform(source: image, has: has.isEmpty ? ["nothing"] : has.sorted()))
    }
    return first
  }

  /// An index or a manifest, of either's fields those that it has.
  private struct Document: Decodable {
    var schemaVersion: Int?
    var mediaType: String?
    var manifests: [ImageDescriptor]?
    var config: ImageDescriptor?
    var layers: [ImageDescriptor]?
    var fsLayers: Anything?
  }

  /// That there is something; what it is nobody looks at.
  private struct Anything: Decodable {
    init(from _: any Decoder) {}
  }

  private static func document(
    _ name: String, _ expected: Digest?, image: String, at client: RegistryClient
  ) throws(RegistryError) -> ([UInt8], Document) {
    let answer = try client.send(.get, "manifests/\(name)", fields: [accept], limit: UInt64(ImageJSON.limit)) {
      // What a tag leads to may be another one by then.
      $0.resumes = expected != nil
    }
    guard answer.isSuccess else { throw client.refusal(answer, of: image) }
    let actual = Digest.of(answer.body)
    if let expected = expected ?? answer.field("docker-content-digest").flatMap({ Digest($0) }), expected != actual {
      throw .image(.digest(source: image, expected: expected))
    }
    let document: Document
    do {
      document = try JSONDecoder().decode(Document.self, from: Data(answer.body))
    } catch {
      throw .answer(registry: client.source.host, "no manifest, nor anything else that is known")
    }
    if document.schemaVersion == 1 || document.fsLayers != nil { throw .oldFormat(image) }
    // Who takes it for the one, and who for the other, would have different images by one digest.
    guard document.manifests == nil || document.config == nil && document.layers == nil else {
      throw .answer(registry: client.source.host, "a manifest that is an index, too")
    }
    return (answer.body, document)
  }
}
