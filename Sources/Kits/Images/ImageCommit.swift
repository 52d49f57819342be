import FoundationEssentials
import Packs

/// What an image says of how it was made of another one.
package struct ImageCommit: Sendable {
  package var author: String?
  package var message: String?
  /// For people: whose writes they are.
  package var origin: String
  package var time = Date()
  /// What it says of its command otherwise than that one.
  package var changes: [ImageChange]

  package init(origin: String, author: String?, message: String?, changes: [ImageChange] = []) {
    self.changes = changes
    self.origin = origin
    self.author = author
    self.message = message
  }
}

extension ImageStore {
  /// Makes an image of another one's layers, and one more of a tree of writes above them.
  ///
  /// - Parameters:
  ///   - references: names that lead to it from now on.
  ///   - progress: called with the number of files that were read.
  package func commit(
    _ changes: DirectorySource, above base: Image, _ commit: ImageCommit, references: [ImageReference],
    progress: (Int) -> Void = { _ in }
  ) throws(ImageError) -> Image {
    for reference in references { try requireName(reference) }
    // Before anything is done for it, too.
    _ = try base.rewritten(layers: []) { (document) throws(ImageError) in
      try ImageChange.apply(commit.changes, to: &document)
    }
    let adding = try holdLayers()
    // Of no image's, so that it goes by `prune` wherever the command ends; kept until the layer has taken its files over.
    let name = Image.packPrefix + (0..<3).map { _ in Names.random() }.joined()
    defer { try? packs.remove(name, isLayer: true) }
    let layer: WrittenLayer
    do throws(PackError) {
      _ = try packs.create(name, origin: commit.origin, isLayer: true) { (builder) throws(PackError) in
        try changes.read(into: builder, progress: progress)
      }
      layer = try write(try packs.hold(name), .none) { _, _ in }
    } catch {
      throw .pack(error)
    }
    let layers = base.configuration.rootfs.layers
    let bytes = try base.rewritten(layers: layers + [layer.diff]) { (document) throws(ImageError) in
      let created = JSONValue.string(commit.time.formatted(.iso8601))
      document["created"] = created
      if let author = commit.author { document["author"] = .string(author) }
      var step: JSONValue = ["created": created, "created_by": "novm commit"]
      if let author = commit.author { step["author"] = .string(author) }
      if let message = commit.message { step["comment"] = .string(message) }
      try ImageChange.apply(commit.changes, to: &document)
      document["history"] = .array((document["history"]?.list ?? []) + [step])
    }
    let (source, size) = (commit.origin, layer.descriptor.size)
    // They are there, or the image was not.
    let below = layers.map { diff in
      ImageParts.Layer(digest: nil) { () throws(ImageError) in throw .damaged(diff.description) }
    }
    let above = ImageParts.Layer(digest: layer.descriptor.digest) { () throws(ImageError) in
      RangeBytes(layer.file, 0..<size, path: Array(source.utf8))
    }
    let parts = try ImageParts(source: source, configuration: bytes, layers: below + [above], references: references)
    let image = try add(parts, references: references)
    // Until here.
    _ = adding.raw
    return image
  }
}
