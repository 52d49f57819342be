import Packs

/// An image that is not in the store yet.
package struct ImageParts {
  /// A layer, uncompressed or in any compression that archives have.
  package struct Layer {
    /// Of the file as it is; nil where only the configuration vouches for it.
    package var digest: Digest?
    package var open: () throws(ImageError) -> any ByteSource

    package init(digest: Digest?, open: @escaping () throws(ImageError) -> any ByteSource) {
      self.digest = digest
      self.open = open
    }
  }

  /// For errors, and for `origin`.
  package let source: String
  package let configurationBytes: [UInt8]
  package let configuration: ImageConfiguration
  /// The lowest first.
  package let layers: [Layer]
  package var references: [ImageReference]
  /// What it was described by.
  private var manifest: Digest?

  /// - Throws: `malformed` or `platform` unless it is an image for such machines as novm's.
  package init(
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

  /// What the descriptions of one set of files may cost, however they name each other.
  private struct Budget {
    private var documents = 10_000
    private var bytes = 64 << 20
    private var seen: Set<Digest> = []

    /// Counts a description in.
    mutating func take(_ document: [UInt8], of source: String) throws(ImageError) -> [UInt8] {
      documents -= 1
      bytes -= document.count
      guard documents >= 0, bytes >= 0 else {
        throw .malformed(source: source, "more than 10,000 descriptions, or 64 MiB of them")
      }
      return document
    }

    /// Whether it is the first time.
    mutating func visit(_ digest: Digest) -> Bool { seen.insert(digest).inserted }
  }

  /// The images of an OCI image layout, or of what `docker save` writes.
  package static func images(in files: some ImageFiles) throws(ImageError) -> [ImageParts] {
    if let bytes = try files.document("manifest.json") { return try saved(bytes, files) }
    guard try files.document("oci-layout") != nil, let bytes = try files.document("index.json") else {
      throw .notAnImage(source: files.source)
    }
    var images: [ImageParts] = []
    var others: Set<String> = []
    var budget = Budget()
    try collect(
      try ImageJSON.decode(bytes, of: files.source), files, depth: 0, references: [], &images, &others, &budget)
    if images.isEmpty, !others.isEmpty { throw .platform(source: files.source, has: others.sorted()) }
    if images.isEmpty { throw .malformed(source: files.source, "no image in it") }
    return images
  }

  private static func saved(_ bytes: [UInt8], _ files: some ImageFiles) throws(ImageError) -> [ImageParts] {
    let list: [SavedImage] = try ImageJSON.decode(bytes, of: files.source)
    guard (1...1000).contains(list.count) else { throw .malformed(source: files.source, "\(list.count) images") }
    var images: [ImageParts] = []
    var budget = Budget()
    for saved in list {
      guard let document = try files.document(saved.configuration) else {
        throw .malformed(source: files.source, "\(saved.configuration), which it names, is not in it")
      }
      let configuration = try budget.take(document, of: files.source)
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
    _ images: inout [ImageParts], _ others: inout Set<String>, _ budget: inout Budget
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
      // By two names: it is one image.
      guard budget.visit(descriptor.digest) else {
        if let place = images.firstIndex(where: { $0.manifest == descriptor.digest }) {
          images[place].references += names
        }
        continue
      }
      let bytes = try budget.take(try files.document(descriptor.digest), of: files.source)
      if let inner: ImageIndex = try? ImageJSON.decode(bytes, of: files.source) {
        try collect(inner, files, depth: depth + 1, references: names, &images, &others, &budget)
        continue
      }
      let manifest: ImageManifest = try ImageJSON.decode(bytes, of: files.source)
      let layers = manifest.layers.map { layer in
        Layer(digest: layer.digest) { () throws(ImageError) in try files.blob(layer.digest) }
      }
      do throws(ImageError) {
        var parts = try ImageParts(
          source: files.source,
          configuration: try budget.take(try files.document(manifest.config.digest), of: files.source), layers: layers,
          references: names)
        parts.manifest = descriptor.digest
        images.append(parts)
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
