import FoundationEssentials
import Glibc
import Host
import Packs

/// The directory of all images.
///
///     IMAGES/.lock         held while names or images change (flock(2))
///     IMAGES/.adding       held, shared, while layers come in that no image names yet
///     IMAGES/.layers       a byte of it is locked by whoever brings a layer in (fcntl(2))
///     IMAGES/names/NAME    which image a reference leads to, and what the registry calls that; NAME is the reference with `%2F`
///                          for slashes
///     IMAGES/images/ID/    `config` and, of one from a registry, `manifest`, as they came, and `record`
///     IMAGES/new/ID/       one that is being made
///
/// Layers are packs of the pack store (``Image/pack(_:)``): images that share layers share packs, and packs share files. One that a
/// command that was killed brought, and no image has, goes with the next image that is removed, or by `prune`.
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
    return try named(try identifier(text))
  }

  /// Of an image, whole or not, by its digits or the first of them.
  private func identifier(_ text: String) throws(ImageError) -> Digest {
    let digits = text.hasPrefix("sha256:") ? String(text.dropFirst("sha256:".count)) : text
    guard digits.utf8.count >= 4, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) })
    else {
      if ImageReference(text) == nil { throw .reference(text) }
      throw .noSuchImage(text)
    }
    let matches = try entries("images").filter { $0.hasPrefix(digits) }
    guard let match = matches.first, let id = Digest(match) else { throw .noSuchImage(text) }
    if matches.count > 1 { throw .ambiguous(text) }
    return id
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

  /// Whether a name leads to an image that is whole, and led to this at the registry that it came from.
  ///
  /// - Parameter digest: of a manifest or an index.
  package func isCurrent(_ reference: ImageReference, _ digest: Digest) -> Bool {
    guard let bytes = try? Names.read(path(of: reference)), let image = try? find(reference) else { return false }
    let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
    return lines.count == 2 && Digest(String(lines[1])) == digest
      && image.configuration.rootfs.layers.allSatisfy { layer($0) != nil }
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
    for reference in references { try requireName(reference) }
    let adding = try holdLayers()
    for (place, layer) in parts.layers.enumerated() {
      let diff = parts.configuration.rootfs.layers[place]
      guard self.layer(diff) == nil else { continue }
      try unpack(try layer.open(), diff, layer.digest, origin: parts.source) { progress(place, $0) }
    }
    let image = try record(parts, references: references)
    // Until here.
    _ = adding.raw
    return image
  }

  /// For as long as this is held, nobody takes a layer for one that no image has.
  package func holdLayers() throws(ImageError) -> FileDescriptor {
    try pack { () throws(PackError) in
      for part in ["names", "images", "new"] { try Names.makeDirectories("\(directory)/\(part)") }
      // What room there is only a directory knows that is there.
      try Names.makeDirectories(packs.directory)
    }
    return try lock(".adding", LOCK_SH)
  }

  /// A layer that is there.
  ///
  /// - Parameter diff: of the layer uncompressed.
  package func layer(_ diff: Digest) -> Pack? { try? packs.pack(named: Image.pack(diff)) }

  /// For as long as this is held, nobody else brings the layer in.
  ///
  /// A byte of one file for each layer, at a place that its digest says, is locked: nothing is left of it.
  ///
  /// - Returns: nil if it is another's, and that one is not waited for.
  package func lockLayer(_ diff: Digest, waits: Bool) throws(ImageError) -> FileDescriptor? {
    let path = "\(directory)/.layers"
    do throws(Errno) {
      let file = try FileDescriptor.open(path, O_RDWR | O_CREAT, mode: 0o600)
      var lock = flock()
      lock.l_type = Int16(F_WRLCK)
      lock.l_whence = Int16(SEEK_SET)
      lock.l_start = off_t(diff.bytes.prefix(7).reduce(0) { $0 << 8 | UInt64($1) })
      lock.l_len = 1
      // F_OFD_SETLK and F_OFD_SETLKW, which Glibc shows only with _GNU_SOURCE: the lock is the open file's (fcntl(2)).
      let command: Int32 = waits ? 38 : 37
      let number = file.raw
      do throws(Errno) {
        try retryingInterrupts { unsafe fcntl(number, command, &lock) }
      } catch {
        if !waits, error == .wouldBlock || error == .accessDenied { return nil }
        throw error
      }
      return file
    } catch {
      throw .system(doing: "lock", path: path, error)
    }
  }

  /// Makes an image of layers that are there.
  ///
  /// - Parameters:
  ///   - led: what the references led to at a registry.
  ///   - manifest: what the registry has of it.
  package func record(
    _ parts: ImageParts, references: [ImageReference], led: Digest? = nil, manifest: [UInt8]? = nil
  ) throws(ImageError) -> Image {
    let id = parts.id
    var size: UInt64 = 0
    for diff in parts.configuration.rootfs.layers {
      let pack = try pack { () throws(PackError) in try packs.pack(named: Image.pack(diff)) }
      size = size.addingReportingOverflow(pack.record.size).partialValue
    }
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
      // One that is damaged makes room.
      if Names.exists(target), (try? read(id)) == nil { try bury(id) }
      if !Names.exists(target) {
        let work = "\(directory)/new/\(Names.random())"
        try Names.makeDirectories(work)
        try Names.write(parts.configurationBytes, to: "\(work)/config")
        try Names.write(json, to: "\(work)/record")
        try Names.rename(work, target)
        try Names.sync("\(directory)/images")
      }
      if let manifest {
        let file = "\(directory)/new/\(Names.random())"
        try Names.write(manifest, to: file)
        try Names.rename(file, "\(target)/manifest")
      }
      for reference in references { try name(id, reference, led: led) }
    }
    // Until here.
    _ = lock.raw
    return try named(id)
  }

  /// Makes a pack of a layer, in any compression.
  ///
  /// - Parameters:
  ///   - diff: what it must be, uncompressed.
  ///   - digest: what it must be as it is.
  package func unpack(
    _ source: any ByteSource, _ diff: Digest, _ digest: Digest?, origin: String,
    progress: @escaping (UInt64) -> Void = { _ in }
  ) throws(ImageError) {
    let path = Array(origin.utf8)
    _ = try pack { () throws(PackError) in
      try packs.create(Image.pack(diff), origin: origin, replacing: true, isLayer: true) {
        (builder) throws(PackError) in
        let compressed = ArchiveInput(source, progress: progress)
        let input = ArchiveInput(try UncompressedBytes(compressed, path: path))
        // The digest is of the archive uncompressed.
        var archive = ArchiveSource(path, patterns: try PathPatterns(include: [], exclude: []), digest: diff)
        archive.isLayer = true
        try archive.read(input, into: builder)
        if let digest {
          let actual = try compressed.finish()
          if actual != digest { throw .digest(path: path, expected: digest, actual: actual) }
        }
      }
    }
  }

  /// Lets a further name lead to an image.
  ///
  /// - Parameter text: what the image is found by.
  package func tag(_ text: String, as reference: ImageReference) throws(ImageError) {
    try requireName(reference)
    _ = try find(text)
    let lock = try lock(".lock", LOCK_EX)
    // Nobody removes it from here on.
    let image = try find(text)
    try pack { () throws(PackError) in try name(image.id, reference) }
    _ = lock.raw
  }

  private func name(_ id: Digest, _ reference: ImageReference, led: Digest? = nil) throws(PackError) {
    let file = "\(directory)/new/\(Names.random())"
    try Names.makeDirectories("\(directory)/new")
    try Names.write(Array(("\(id)\n" + (led.map { "\($0)\n" } ?? "")).utf8), to: file)
    try Names.rename(file, path(of: reference))
    try Names.sync("\(directory)/names")
  }

  private func path(of reference: ImageReference) -> String { "\(directory)/names/\(Self.fileName(reference))" }

  private static func fileName(_ reference: ImageReference) -> String {
    reference.description.replacing("/", with: "%2F")
  }

  /// Whether an image can be kept under a name: before anything is done for it.
  package func requireName(_ reference: ImageReference) throws(ImageError) {
    // NAME_MAX: ext4's and all others'.
    guard Self.fileName(reference).utf8.count <= 255 else { throw .longName(reference.description) }
  }

  // MARK: Removing

  /// What a removal did.
  package enum Removal: Equatable, Sendable {
    case untagged(ImageReference)
    case removed(Digest)
  }

  /// Who has packs in their trees.
  package struct PackUsers {
    /// For people, by the pack's name.
    package var users: [String: String]
    /// False if somebody could not be asked.
    package var isWhole: Bool

    package init(users: [String: String], isWhole: Bool) {
      self.users = users
      self.isWhole = isWhole
    }
  }

  /// Takes a name from an image, and removes the image with its last name; by an identifier, all of it. One that is damaged
  /// goes, too.
  ///
  /// - Parameter users: asked once nobody makes machines any more of what is here.
  package func remove(
    _ text: String, force: Bool, users: () -> PackUsers
  ) throws(ImageError) -> [Removal] {
    guard Names.exists("\(directory)/images") else { throw .noSuchImage(text) }
    let lock = try lock(".lock", LOCK_EX)
    defer { _ = lock.raw }
    let names = try names()
    let reference = ImageReference(text).flatMap { Names.exists(path(of: $0)) ? $0 : nil }
    let known: Digest?
    if let reference { known = names[reference] } else { known = try identifier(text) }
    let references = names.filter { $0.value == known }.keys.sorted { $0.description < $1.description }
    guard let id = known, Names.exists("\(directory)/images/\(id.hexadecimal)") else {
      // A name that leads nowhere.
      guard let reference else { throw .noSuchImage(text) }
      try unlink(reference)
      return [.untagged(reference)]
    }
    if let reference, references.count > 1 {
      try unlink(reference)
      return [.untagged(reference)]
    }
    let shortID = String(id.hexadecimal.prefix(12))
    if reference == nil, references.count > 1, !force {
      throw .inUse(shortID, by: "the names \(references.map(\.familiar).joined(separator: ", "))")
    }
    // Who makes a machine holds it, and has its layers whatever becomes of the image.
    let adding = try self.lock(".adding", LOCK_EX | LOCK_NB, isOptional: true)
    let users = users()
    if let image = try? read(id) {
      let others = Set(try list().filter { $0.id != id }.flatMap(\.packs))
      for pack in image.packs where !others.contains(pack) {
        if let user = users.users[pack] {
          throw .inUse(references.first?.familiar ?? shortID, by: "the machine \(user)")
        }
      }
    }
    var done: [Removal] = []
    for reference in references {
      try unlink(reference)
      done.append(.untagged(reference))
    }
    try pack { () throws(PackError) in try bury(id) }
    done.append(.removed(id))
    sweepNew()
    if adding != nil { sweepLayers(users) }
    return done
  }

  /// Removes what killed commands left: images half made and, unless some come in just now, layers that nothing has.
  ///
  /// - Parameter users: asked once nobody makes machines any more of what is here.
  package func sweep(users: () -> PackUsers) throws(ImageError) {
    guard Names.exists("\(directory)/images") else { return }
    let lock = try lock(".lock", LOCK_EX)
    defer { _ = lock.raw }
    sweepNew()
    guard let adding = try self.lock(".adding", LOCK_EX | LOCK_NB, isOptional: true) else { return }
    defer { _ = adding.raw }
    sweepLayers(users())
  }

  /// Takes an image out of the list.
  private func bury(_ id: Digest) throws(PackError) {
    try Names.makeDirectories("\(directory)/new")
    try Names.rename("\(directory)/images/\(id.hexadecimal)", "\(directory)/new/\(Names.random())")
    try Names.sync("\(directory)/images")
  }

  private func unlink(_ reference: ImageReference) throws(ImageError) {
    let path = path(of: reference)
    guard unsafe Glibc.unlink(path) == 0 else { throw .system(doing: "remove", path: path, .current) }
  }

  /// Removes what a command that was killed left of one being made; with the lock held.
  private func sweepNew() {
    for name in (try? Names.list("\(directory)/new")) ?? [] {
      let path = "\(directory)/new/\(name)"
      for part in ["config", "record", "manifest"] { _ = unsafe Glibc.unlink("\(path)/\(part)") }
      if unsafe rmdir(path) != 0 { _ = unsafe Glibc.unlink(path) }
    }
  }

  /// Removes the layers that no image and no machine has, if all of these could be read; with `.adding` held alone.
  private func sweepLayers(_ users: PackUsers) {
    guard users.isWhole, let digits = try? entries("images"), let listing = try? packs.list() else { return }
    var kept: Set<String> = []
    for hexadecimal in digits {
      guard let id = Digest(hexadecimal), let image = try? read(id) else { return }
      kept.formUnion(image.packs)
    }
    let names = listing.packs.map(\.name) + listing.damaged.map(\.name)
    for name in names where name.hasPrefix(Image.packPrefix) && !kept.contains(name) && users.users[name] == nil {
      try? packs.remove(name, isLayer: true)
    }
  }

  // MARK: Help

  /// - Returns: nil if another has it who is not waited for.
  private func lock(_ name: String, _ operation: Int32, isOptional: Bool) throws(ImageError) -> FileDescriptor? {
    do throws(ImageError) {
      return try lock(name, operation)
    } catch {
      guard isOptional, case .system(_, _, .wouldBlock) = error else { throw error }
      return nil
    }
  }

  private func lock(_ name: String, _ operation: Int32) throws(ImageError) -> FileDescriptor {
    let path = "\(directory)/\(name)"
    do throws(Errno) {
      return try FileDescriptor.lockFile(path, operation)
    } catch {
      throw .system(doing: "lock", path: path, error)
    }
  }

  private func pack<Result>(_ body: () throws(PackError) -> Result) throws(ImageError) -> Result {
    do throws(PackError) { return try body() } catch { throw .pack(error) }
  }
}
