import Packs

/// Images of the store on their way out, as an OCI image layout (image specification 1.1) that has a `manifest.json` as
/// `docker save` writes it: as an archive it is both.
package struct ImageExport {
  private let store: ImageStore
  private let output: any ImageOutput
  private let compression: ArchiveExport.Compression
  /// By the digests that the store has them by.
  private var layers: [Digest: (descriptor: ImageDescriptor, diff: Digest)] = [:]
  private var written: Set<Digest> = []
  private var index: [ImageDescriptor] = []
  private var saved: [SavedImage] = []

  package init(_ store: ImageStore, to output: any ImageOutput, _ compression: ArchiveExport.Compression) {
    self.store = store
    self.output = output
    self.compression = compression
  }

  /// Writes an image, and those of its layers that were not written yet.
  ///
  /// - Parameters:
  ///   - references: what it is called in there.
  ///   - progress: called with the layer's place from 0, the number of its files so far, and that of all.
  package mutating func add(
    _ image: Image, references: [ImageReference], progress: (Int, Int, Int) -> Void = { _, _, _ in }
  ) throws(ImageError) {
    for (place, diff) in image.configuration.rootfs.layers.enumerated() where layers[diff] == nil {
      let layer = try store.written(diff, compression) { progress(place, $0, $1) }
      layers[diff] = (layer.descriptor, layer.diff)
      // Two may be the same as novm writes them.
      if written.insert(layer.descriptor.digest).inserted {
        try output.write(
          layer.file.file, size: layer.descriptor.size, to: ImageArchive.path(of: layer.descriptor.digest))
      }
    }
    let own = image.configuration.rootfs.layers.compactMap { layers[$0] }
    let description = try ImageDescription(image, layers: own)
    let configuration = Digest.of(description.configuration)
    for (digest, bytes) in [
      (configuration, description.configuration), (description.descriptor.digest, description.manifest),
    ]
    where written.insert(digest).inserted {
      try output.write(bytes, to: ImageArchive.path(of: digest))
    }
    for reference in references {
      var descriptor = description.descriptor
      // As containerd and Docker have them.
      descriptor.annotations = ["io.containerd.image.name": reference.description]
      if let tag = reference.tag { descriptor.annotations?["org.opencontainers.image.ref.name"] = tag }
      index.append(descriptor)
    }
    if references.isEmpty { index.append(description.descriptor) }
    saved.append(
      SavedImage(
        configuration: ImageArchive.path(of: configuration), tags: references.map(\.familiar),
        layers: own.map { ImageArchive.path(of: $0.descriptor.digest) }))
  }

  /// Writes what names the images: last, so that what is not whole is no layout.
  package func finish() throws(ImageError) {
    try output.write(Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8), to: "oci-layout")
    try output.write(ImageJSON.encode(saved), to: "manifest.json")
    try output.finish(index: ImageJSON.encode(LayoutIndex(manifests: index)))
  }
}
