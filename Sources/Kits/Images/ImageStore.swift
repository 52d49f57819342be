import FoundationEssentials
import Glibc
import Host
import Packs

/// The directory of all images.
///
///     IMAGES/.lock         held while names or images change (flock(2))
///     IMAGES/.adding       held, shared, while layers come in that no image names yet
///     IMAGES/names/NAME    which image a reference leads to; NAME is the reference with `%2F` for slashes
///     IMAGES/images/ID/    `config`, as it came, and `record`
///     IMAGES/new/ID/       one that is being made
///
/// Layers are packs of the pack store (``Image/pack(_:)``): images that share layers share packs, and packs share files. One that a
/// command that was killed brought, and no image has, goes with the next image that is removed.
package struct ImageStore: Sendable {
  package let directory: String
  package let packs: PackStore

  package init(directory: String, packs: PackStore) {
    self.directory = directory
    self.packs = packs
  }

  // MARK: Reading

  /// All images, by their names.
  package func list() throws(ImageError) -> [Image] {
    let names = try names()
    var images: [Image] = []
    for hexadecimal in try entries("images") {
      guard let id = Digest(hexadecimal), var image = try? read(id) else { continue }
      image.references = names.filter { $0.value == id }.keys.sorted { $0.description < $1.description }
      images.append(image)
    }
    return images.sorted { ($0.references.isEmpty ? 1 : 0, $0.name) < ($1.references.isEmpty ? 1 : 0, $1.name) }
  }

  /// The image of a reference, an identifier, or the beginning of one.
  package func find(_ text: String) throws(ImageError) -> Image {
    if let reference = ImageReference(text), let image = try find(reference) { return image }
    let digits = text.hasPrefix("sha256:") ? String(text.dropFirst("sha256:".count)) : text
    guard digits.utf8.count >= 4, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) })
    else {
      if ImageReference(text) == nil { throw .reference(text) }
      throw .noSuchImage(text)
    }
    let matches = try entries("images").filter { $0.hasPrefix(digits) }
    guard let match = matches.first, let id = Digest(match) else { throw .noSuchImage(text) }
    if matches.count > 1 { throw .ambiguous(text) }
    return try named(id)
  }

  private func find(_ reference: ImageReference) throws(ImageError) -> Image? {
    guard let id = try names()[reference] else { return nil }
    return try named(id)
  }

  private func named(_ id: Digest) throws(ImageError) -> Image {
    var image = try read(id)
    image.references = try names().filter { $0.value == id }.keys.sorted { $0.description < $1.description }
    return image
  }

  private func read(_ id: Digest) throws(ImageError) -> Image {
    let path = "\(directory)/images/\(id.hexadecimal)"
    do {
      let bytes = try Names.read("\(path)/config")
      let decoder = JSONDecoder()
      decoder.dateDecodingStrategy = .iso8601
      let record = try decoder.decode(ImageRecord.self, from: Data(try Names.read("\(path)/record")))
      guard Digest.of(bytes) == id else { throw ImageError.damaged(id.description) }
      return Image(
        id: id, record: record, configuration: try ImageJSON.decode(bytes, of: id.description),
        configurationBytes: bytes,
        references: [])
    } catch {
      throw .damaged(id.description)
    }
  }

  private func names() throws(ImageError) -> [ImageReference: Digest] {
    var result: [ImageReference: Digest] = [:]
    for name in try entries("names") {
      guard let reference = ImageReference(name.replacing("%2F", with: "/")),
        let bytes = try? Names.read("\(directory)/names/\(name)"),
        let id = Digest(String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self))
      else { continue }
      result[reference] = id
    }
    return result
  }

  private func entries(_ part: String) throws(ImageError) -> [String] {
    guard Names.exists("\(directory)/\(part)") else { return [] }
    return try pack { () throws(PackError) in try Names.list("\(directory)/\(part)") }
  }

  // MARK: Adding

  /// Brings an image in, with those of its layers that are not there yet.
  ///
  /// - Parameters:
  ///   - references: names that lead to it from now on.
  ///   - progress: called with the layer's place from 0, and its bytes so far.
  package func add(
    _ parts: ImageParts, references: [ImageReference], progress: @escaping (Int, UInt64) -> Void = { _, _ in }
  ) throws(ImageError) -> Image {
    try pack { () throws(PackError) in
      for part in ["names", "images", "new"] { try Names.makeDirectories("\(directory)/\(part)") }
    }
    // Nobody takes a layer for one that no image has.
    let adding = try lock(".adding", LOCK_SH)
    var size: UInt64 = 0
    for (place, layer) in parts.layers.enumerated() {
      let diff = parts.configuration.rootfs.layers[place]
      size += try add(layer, diff, of: parts) { progress(place, $0) }.record.size
    }
    let id = parts.id
    let record = ImageRecord(loaded: Date(), size: size, origin: parts.source)
    let encoder = JSONEncoder()
    encoder.dateEncodingStrategy = .iso8601
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    // Text, a number and a date: always JSON.
    let json = (try? encoder.encode(record)).map { Array($0) } ?? []
    let lock = try self.lock(".lock", LOCK_EX)
    sweepNew()
    try pack { () throws(PackError) in
      let target = "\(directory)/images/\(id.hexadecimal)"
      if !Names.exists(target) {
        let work = "\(directory)/new/\(Names.random())"
        try Names.makeDirectories(work)
        try Names.write(parts.configurationBytes, to: "\(work)/config")
        try Names.write(json, to: "\(work)/record")
        try Names.rename(work, target)
        try Names.sync("\(directory)/images")
      }
      for reference in references { try name(id, reference) }
    }
    // Until here.
    _ = (lock.raw, adding.raw)
    return try named(id)
  }

  private func add(
    _ layer: ImageParts.Layer, _ diff: Digest, of parts: ImageParts, _ progress: @escaping (UInt64) -> Void
  ) throws(ImageError) -> Pack {
    let name = Image.pack(diff)
    if let known = try? packs.pack(named: name) { return known }
    let source = try layer.open()
    let path = Array(parts.source.utf8)
    do throws(PackError) {
      return try packs.create(name, origin: parts.source, replacing: true) { (builder) throws(PackError) in
        let compressed = ArchiveInput(source, progress: progress)
        let input = ArchiveInput(try UncompressedBytes(compressed, path: path))
        // The digest is of the archive uncompressed.
        try ArchiveSource(path, patterns: try PathPatterns(include: [], exclude: []), digest: diff)
          .read(input, into: builder)
        if let digest = layer.digest {
          let actual = try compressed.finish()
          if actual != digest { throw .digest(path: path, expected: digest, actual: actual) }
        }
      }
    } catch {
      throw .pack(error)
    }
  }

  /// Lets a further name lead to an image.
  package func tag(_ image: Image, as reference: ImageReference) throws(ImageError) {
    let lock = try lock(".lock", LOCK_EX)
    try pack { () throws(PackError) in try name(image.id, reference) }
    _ = lock.raw
  }

  private func name(_ id: Digest, _ reference: ImageReference) throws(PackError) {
    let file = "\(directory)/new/\(Names.random())"
    try Names.makeDirectories("\(directory)/new")
    try Names.write(Array("\(id)\n".utf8), to: file)
    try Names.rename(file, path(of: reference))
    try Names.sync("\(directory)/names")
  }

  private func path(of reference: ImageReference) -> String {
    "\(directory)/names/\(reference.description.replacing("/", with: "%2F"))"
  }

  // MARK: Removing

  /// What a removal did.
  package enum Removal: Equatable, Sendable {
    case untagged(ImageReference)
    case removed(Digest)
  }

  /// Takes a name from an image, and removes the image with its last name; by an identifier, all of it.
  ///
  /// - Parameter user: who has a pack in its tree, for people.
  package func remove(
    _ text: String, force: Bool, user: (String) -> String?
  ) throws(ImageError) -> [Removal] {
    let image = try find(text)
    let lock = try lock(".lock", LOCK_EX)
    var done: [Removal] = []
    let reference = ImageReference(text).flatMap { image.references.contains($0) ? $0 : nil }
    if let reference, image.references.count > 1 {
      try unlink(reference)
      return [.untagged(reference)]
    }
    if reference == nil, image.references.count > 1, !force {
      throw .inUse(image.shortID, by: "the names \(image.references.map(\.familiar).joined(separator: ", "))")
    }
    let names = try packsOfOthers(than: image.id)
    for pack in image.packs where !names.contains(pack) {
      if let user = user(pack) { throw .inUse(image.name, by: "the machine \(user)") }
    }
    for reference in image.references {
      try unlink(reference)
      done.append(.untagged(reference))
    }
    let path = "\(directory)/images/\(image.id.hexadecimal)"
    let grave = "\(directory)/new/\(Names.random())"
    try pack { () throws(PackError) in
      try Names.makeDirectories("\(directory)/new")
      try Names.rename(path, grave)
      try Names.sync("\(directory)/images")
    }
    done.append(.removed(image.id))
    sweepNew()
    sweepLayers(user)
    _ = lock.raw
    return done
  }

  private func unlink(_ reference: ImageReference) throws(ImageError) {
    let path = path(of: reference)
    guard unsafe Glibc.unlink(path) == 0 else { throw .system(doing: "remove", path: path, .current) }
  }

  private func packsOfOthers(than id: Digest?) throws(ImageError) -> Set<String> {
    Set(try list().filter { $0.id != id }.flatMap(\.packs))
  }

  /// Removes what a command that was killed left of one being made; with the lock held.
  private func sweepNew() {
    for name in (try? Names.list("\(directory)/new")) ?? [] {
      let path = "\(directory)/new/\(name)"
      for part in ["config", "record"] { _ = unsafe Glibc.unlink("\(path)/\(part)") }
      if unsafe rmdir(path) != 0 { _ = unsafe Glibc.unlink(path) }
    }
  }

  /// Removes the layers that no image has, unless some are coming in.
  private func sweepLayers(_ user: (String) -> String?) {
    guard let adding = try? FileDescriptor.open("\(directory)/.adding", O_RDWR | O_CREAT, mode: 0o600),
      flock(adding.raw, LOCK_EX | LOCK_NB) == 0, let kept = try? packsOfOthers(than: nil),
      let listing = try? packs.list()
    else { return }
    let names = listing.packs.map(\.name) + listing.damaged.map(\.name)
    for name in names where name.hasPrefix(Image.packPrefix) && !kept.contains(name) && user(name) == nil {
      try? packs.remove(name)
    }
    _ = adding.raw
  }

  // MARK: Help

  private func lock(_ name: String, _ operation: Int32) throws(ImageError) -> FileDescriptor {
    let path = "\(directory)/\(name)"
    do throws(Errno) {
      let lock = try FileDescriptor.open(path, O_RDWR | O_CREAT, mode: 0o600)
      let number = lock.raw
      try retryingInterrupts { flock(number, operation) }
      return lock
    } catch {
      throw .system(doing: "lock", path: path, error)
    }
  }

  private func pack<Result>(_ body: () throws(PackError) -> Result) throws(ImageError) -> Result {
    do throws(PackError) { return try body() } catch { throw .pack(error) }
  }
}
