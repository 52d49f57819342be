import Packs

/// An image that is not in the store yet.
package struct ImageParts {
  /// A layer, uncompressed or in any compression that archives have.
  package struct Layer {
    /// Of the file as it is; nil where only the configuration vouches for it.
    package var digest: Digest?
    package var open: () throws(ImageError) -> any ByteSource
  }

  /// For errors, and for `origin`.
  package let source: String
  package let configurationBytes: [UInt8]
  package let configuration: ImageConfiguration
  /// The lowest first.
  package let layers: [Layer]
  package var references: [ImageReference]

  /// - Throws: `malformed` or `platform` unless it is an image for such machines as novm's.
  init(
    source: String, configuration bytes: [UInt8], layers: [Layer], references: [ImageReference]
  ) throws(ImageError) {
    let configuration: ImageConfiguration = try ImageJSON.decode(bytes, of: source)
    guard configuration.platform.isOurs else {
      throw .platform(source: source, has: [configuration.platform.text])
    }
    guard configuration.rootfs.type == "layers", configuration.rootfs.layers.count == layers.count else {
      throw .malformed(source: source, "its manifest and its configuration have different layers")
    }
    guard layers.count <= ImageManifest.mostLayers else {
      throw .malformed(source: source, "\(layers.count) layers")
    }
    self.source = source
    configurationBytes = bytes
    self.configuration = configuration
    self.layers = layers
    self.references = references
  }

  package var id: Digest { Digest.of(configurationBytes) }

  // MARK: From files

  /// The images of an OCI image layout, or of what `docker save` writes.
  package static func images(in files: some ImageFiles) throws(ImageError) -> [ImageParts] {
    if let bytes = try files.document("manifest.json") { return try saved(bytes, files) }
    guard try files.document("oci-layout") != nil, let bytes = try files.document("index.json") else {
      throw .notAnImage(source: files.source)
    }
    var images: [ImageParts] = []
    var others: Set<String> = []
    try collect(try ImageJSON.decode(bytes, of: files.source), files, depth: 0, references: [], &images, &others)
    if images.isEmpty, !others.isEmpty { throw .platform(source: files.source, has: others.sorted()) }
    if images.isEmpty { throw .malformed(source: files.source, "no image in it") }
    return images
  }

  private static func saved(_ bytes: [UInt8], _ files: some ImageFiles) throws(ImageError) -> [ImageParts] {
    let list: [SavedImage] = try ImageJSON.decode(bytes, of: files.source)
    guard (1...1000).contains(list.count) else { throw .malformed(source: files.source, "\(list.count) images") }
    var images: [ImageParts] = []
    for saved in list {
      guard let configuration = try files.document(saved.configuration) else {
        throw .malformed(source: files.source, "\(saved.configuration), which it names, is not in it")
      }
      let layers = saved.layers.map { path in
        Layer(digest: nil) { () throws(ImageError) in
          guard let bytes = try files.open(path) else {
            throw .malformed(source: files.source, "\(path), which it names, is not in it")
          }
          return bytes
        }
      }
      images.append(
        try ImageParts(
          source: files.source, configuration: configuration, layers: layers,
          references: (saved.tags ?? []).compactMap { ImageReference($0) }))
    }
    return images
  }

  /// Follows an index, which may name others.
  private static func collect(
    _ index: ImageIndex, _ files: some ImageFiles, depth: Int, references: [ImageReference],
    _ images: inout [ImageParts], _ others: inout Set<String>
  ) throws(ImageError) {
    guard depth < 4, index.manifests.count <= 1000 else {
      throw .malformed(source: files.source, "an index that leads too far")
    }
    for descriptor in index.manifests where !descriptor.isAttestation {
      if let platform = descriptor.platform, !platform.isOurs {
        others.insert(platform.text)
        continue
      }
      guard images.count < 1000 else { throw .malformed(source: files.source, "more than 1000 images") }
      let names = references + named(descriptor)
      let bytes = try files.document(descriptor.digest)
      if let inner: ImageIndex = try? ImageJSON.decode(bytes, of: files.source) {
        try collect(inner, files, depth: depth + 1, references: names, &images, &others)
        continue
      }
      let manifest: ImageManifest = try ImageJSON.decode(bytes, of: files.source)
      let layers = manifest.layers.map { layer in
        Layer(digest: layer.digest) { () throws(ImageError) in try files.blob(layer.digest) }
      }
      do throws(ImageError) {
        images.append(
          try ImageParts(
            source: files.source, configuration: try files.document(manifest.config.digest), layers: layers,
            references: names))
      } catch {
        guard case .platform(_, let has) = error else { throw error }
        others.formUnion(has)
      }
    }
  }

  /// What a layout calls an image: in full by containerd's annotation, else by the specification's, which may be a tag alone.
  private static func named(_ descriptor: ImageDescriptor) -> [ImageReference] {
    if let name = descriptor.annotations?["io.containerd.image.name"], let reference = ImageReference(name) {
      return [reference]
    }
    guard let name = descriptor.annotations?["org.opencontainers.image.ref.name"],
      name.contains("/") || name.contains(":"), let reference = ImageReference(name)
    else { return [] }
    return [reference]
  }
}
