import Download
import Host
import Images
import Packs

/// Brings an image of the store to a registry.
///
/// A layer that came from this registry is there, or is taken over from the repository that it came from, with the digest that it
/// had. Any other is written anew, compressed, and sent.
package struct ImagePush {
  private let client: RegistryClient
  private let store: ImageStore
  private let compression: ArchiveExport.Compression
  private let name: String
  /// What the store's images say of layers that they have from this registry, and the repositories that these came from.
  private var known: [Digest: (descriptor: ImageDescriptor, repositories: Set<String>)] = [:]

  /// What became of a layer, for people.
  package enum Outcome: Sendable {
    case there
    case mounted(from: String)
    case sent(UInt64)
  }

  /// - Parameter access: how registries are spoken to.
  package init(
    to source: RegistriesConfiguration.Source, _ access: RegistryAccess, store: ImageStore, layers: [Digest],
    compression: ArchiveExport.Compression
  ) throws(RegistryError) {
    self.store = store
    self.compression = compression
    name = "\(source.host)/\(source.repository)"
    let wanted = Set(layers)
    do throws(ImageError) {
      for image in try store.list() {
        guard let manifest = store.manifest(of: image), manifest.layers.count == image.configuration.rootfs.layers.count
        else { continue }
        let repositories = image.references.filter { $0.registry == source.host }.map(\.repository)
        if repositories.isEmpty { continue }
        for (diff, descriptor) in zip(image.configuration.rootfs.layers, manifest.layers) where wanted.contains(diff) {
          // Other bytes may hold the same layer: the repository has them, and not these.
          guard known[diff].map({ $0.descriptor.digest == descriptor.digest }) ?? true else { continue }
          known[diff, default: (descriptor, [])].repositories.formUnion(repositories)
        }
      }
    } catch {
      throw .image(error)
    }
    let others = Set(known.values.flatMap { $0.repositories }).subtracting([source.repository]).sorted().prefix(
      Self.mostOthers)
    client = try RegistryClient(source, access, pushes: true, others: Array(others))
    let allowed = Set(others + [source.repository])
    for diff in known.keys { known[diff]?.repositories.formIntersection(allowed) }
  }

  /// Repositories that one token is asked for.
  private static let mostOthers = 8

  /// Pushes an image, its manifest last.
  ///
  /// - Parameters:
  ///   - tag: what it is called there; nil for its digest alone.
  ///   - progress: called as a layer goes out, with its place from 0, the bytes so far and all of them.
  ///   - done: called with a layer's place, and what became of it.
  /// - Returns: the manifest's digest.
  package func push(
    _ image: Image, tag: String?, progress: (Int, UInt64, UInt64) -> Void, done: (Int, Outcome) -> Void
  ) throws(RegistryError) -> Digest {
    var layers: [(descriptor: ImageDescriptor, diff: Digest)] = []
    for (place, diff) in image.configuration.rootfs.layers.enumerated() {
      if let (descriptor, outcome) = try taken(diff) {
        layers.append((descriptor, diff))
        done(place, outcome)
        continue
      }
      let layer: WrittenLayer
      do throws(ImageError) { layer = try store.written(diff, compression) } catch { throw .image(error) }
      let upload = BlobUpload(layer.descriptor, to: client, name: name)
      if try upload.isThere() {
        done(place, .there)
      } else {
        try upload.send(layer.file.file.raw) { progress(place, $0, layer.descriptor.size) }
        done(place, .sent(layer.descriptor.size))
      }
      layers.append((layer.descriptor, layer.diff))
    }
    let description: ImageDescription
    do throws(ImageError) { description = try ImageDescription(image, layers: layers) } catch { throw .image(error) }
    try send(description.configuration)
    return try send(manifest: manifest(of: image, description), tag)
  }

  /// A layer that the registry has as it gave it.
  private func taken(_ diff: Digest) throws(RegistryError) -> (ImageDescriptor, Outcome)? {
    guard let (descriptor, repositories) = known[diff] else { return nil }
    let blob = BlobUpload(descriptor, to: client, name: name)
    if try blob.isThere() { return (descriptor, .there) }
    for repository in repositories.sorted() where repository != client.source.repository {
      if try blob.mount(from: repository) { return (descriptor, .mounted(from: repository)) }
    }
    return nil
  }

  /// As it came, if it is what it was.
  private func manifest(of image: Image, _ description: ImageDescription) -> (bytes: [UInt8], type: String) {
    let oci = "application/vnd.oci.image.manifest.v1+json"
    let layers = image.configuration.rootfs.layers
    if let bytes = store.manifestBytes(of: image), let manifest = store.manifest(of: image),
      // A registry's own word.
      case let type = manifest.mediaType ?? oci, RemoteImage.types.contains(type),
      layers.allSatisfy({ known[$0] != nil }), manifest.config.digest == image.id,
      description.layers == manifest.layers.map(\.digest)
    {
      return (bytes, type)
    }
    return (description.manifest, oci)
  }

  private func send(_ bytes: [UInt8]) throws(RegistryError) {
    let file = try file(bytes)
    let descriptor = ImageDescriptor(mediaType: nil, digest: Digest.of(bytes), size: UInt64(bytes.count))
    let upload = BlobUpload(descriptor, to: client, name: name)
    if try !upload.isThere() { try upload.send(file.file.raw) { _ in } }
  }

  private func send(manifest: (bytes: [UInt8], type: String), _ tag: String?) throws(RegistryError) -> Digest {
    let digest = Digest.of(manifest.bytes)
    let file = try file(manifest.bytes)
    let answer = try client.send(
      .put, "manifests/\(tag ?? digest.description)", fields: [.init("Content-Type", manifest.type)], limit: 1 << 16
    ) { $0.content = .file(file.file.raw, 0..<UInt64(manifest.bytes.count)) }
    guard answer.isSuccess else { throw client.refusal(answer, bringing: name) }
    if let said = answer.field("docker-content-digest").flatMap({ Digest($0) }), said != digest {
      throw .answer(registry: client.source.host, "it has another manifest than was sent")
    }
    return digest
  }

  private func file(_ bytes: [UInt8]) throws(RegistryError) -> SharedFile {
    do throws(PackError) {
      let file = try store.packs.temporaryFile()
      do throws(Errno) {
        try file.writeAll(bytes)
      } catch {
        throw .system(operation: .write, path: Array(store.packs.directory.utf8), error)
      }
      return SharedFile(file)
    } catch {
      throw .image(.pack(error))
    }
  }
}
