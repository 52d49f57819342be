import FoundationEssentials
import Host
import Packs

/// A layer of the store as an archive, as other tools take it: in a file without a name on the store's disk.
///
/// A pack keeps no archive, so the layer is written anew: with the same files, in an order and by words of novm's own. It has the digest
/// that it came with only if that archive was written so, too.
package struct WrittenLayer: Sendable {
  package let file: SharedFile
  /// What a manifest says of it.
  package let descriptor: ImageDescriptor
  /// Of the layer uncompressed.
  package let diff: Digest
}

extension ImageStore {
  /// Writes a layer.
  ///
  /// - Parameters:
  ///   - diff: what the store has it by.
  ///   - progress: called with the number of files so far, and that of all.
  package func written(
    _ diff: Digest, _ compression: ArchiveExport.Compression, progress: (Int, Int) -> Void = { _, _ in }
  ) throws(ImageError) -> WrittenLayer {
    do throws(PackError) {
      return try write(try packs.hold(Image.pack(diff)), compression, progress)
    } catch {
      throw .pack(error)
    }
  }

  func write(
    _ held: HeldPack, _ compression: ArchiveExport.Compression, _ progress: (Int, Int) -> Void
  ) throws(PackError) -> WrittenLayer {
    let manifest = try packs.manifest(of: held.pack)
    let file = SharedFile(try packs.temporaryFile())
    let result = try ArchiveExport(form: .layer, compression: compression).write(
      held.pack, manifest, to: file.file.raw, path: Array(packs.directory.utf8)
    ) { progress($0, manifest.entries.count) }
    let suffix = compression == .none ? "" : "+\(compression.rawValue)"
    let descriptor = ImageDescriptor(
      mediaType: "application/vnd.oci.image.layer.v1.tar\(suffix)", digest: result.digest, size: result.size)
    return WrittenLayer(file: file, descriptor: descriptor, diff: result.diffID)
  }
}

/// An image as its descriptions have it, of layers that were written.
package struct ImageDescription {
  package let configuration: [UInt8]
  package let manifest: [UInt8]
  /// What an index says of it.
  package let descriptor: ImageDescriptor
  /// Of the layers, as the manifest has them.
  package let layers: [Digest]

  /// - Parameter layers: of each of the image's, in their order: what a manifest says of it, and the digest uncompressed.
  package init(_ image: Image, layers: [(descriptor: ImageDescriptor, diff: Digest)]) throws(ImageError) {
    let diffs = layers.map { $0.diff }
    let isAsItCame = diffs == image.configuration.rootfs.layers
    configuration = try isAsItCame ? image.configurationBytes : image.rewritten(layers: diffs) { _ in }
    let media = "application/vnd.oci.image."
    let document = ImageManifest(
      mediaType: media + "manifest.v1+json",
      config: ImageDescriptor(
        mediaType: media + "config.v1+json", digest: Digest.of(configuration), size: UInt64(configuration.count)),
      layers: layers.map { $0.descriptor.ofOCI })
    self.layers = layers.map { $0.descriptor.digest }
    manifest = ImageJSON.encode(document)
    var descriptor = ImageDescriptor(
      mediaType: document.mediaType, digest: Digest.of(manifest), size: UInt64(manifest.count))
    descriptor.platform = .init(architecture: "amd64", os: "linux", variant: nil)
    self.descriptor = descriptor
  }
}

extension ImageDescriptor {
  /// A layer's, in a manifest of OCI's: of what Docker calls another type, and means the same.
  fileprivate var ofOCI: ImageDescriptor {
    var descriptor = self
    if mediaType == "application/vnd.docker.image.rootfs.diff.tar.gzip" {
      descriptor.mediaType = "application/vnd.oci.image.layer.v1.tar+gzip"
    }
    return descriptor
  }
}

extension ImageStore {
  /// Of an image that a registry gave, as it came; nil for any other.
  package func manifestBytes(of image: Image) -> [UInt8]? {
    try? Names.read("\(directory)/images/\(image.id.hexadecimal)/manifest")
  }

  /// The same, read.
  package func manifest(of image: Image) -> ImageManifest? {
    manifestBytes(of: image).flatMap { try? ImageJSON.decode($0, of: image.id.description) }
  }
}

extension Image {
  /// Its configuration with other layers; what novm has no use for stays in it.
  ///
  /// - Parameter change: what else is to be another.
  package func rewritten(layers: [Digest], _ change: (inout JSONValue) throws(ImageError) -> Void) throws(ImageError)
    -> [UInt8]
  {
    var document: JSONValue = try ImageJSON.decode(configurationBytes, of: id.description)
    document["rootfs"] = .object(["type": "layers", "diff_ids": .array(layers.map { .string($0.description) })])
    // Docker's, of the container that an image was made of.
    for name in ["container", "container_config"] { document[name] = nil }
    try change(&document)
    return ImageJSON.encode(document)
  }
}
