import Host

/// The tree that an archive's entries make, which may come in any order and more than once. It refuses what could lead
/// out of it.
struct ArchiveListing {
  let archive: [UInt8]
  private var entries: [[UInt8]: PackEntry] = [[]: Self.directory([])]
  /// Of all entries.
  private(set) var size = MetadataSize()
  /// The other names of files that have some.
  private var links: [[UInt8]: [[UInt8]]] = [:]
  /// How many names were looked at where files with several were replaced, and how many may be: an archive can ask for as many
  /// as the square of its entries.
  private var relinked = 0
  private static let mostRelinked = 1 << 24

  init(archive: [UInt8]) { self.archive = archive }

  var count: Int { entries.count }

  /// Where an entry goes: its path in the pack, with what it means to be there.
  enum Place {
    case entry([UInt8])
    case whiteout([UInt8])
    /// The directory hides what is below.
    case opaque([UInt8])
  }

  /// - Returns: nil for what only helps the tool that made the archive.
  func path(of header: TarReader.Header) throws(PackError) -> Place? {
    let parts = try parts(header.path, header)
    guard let name = parts.last.map({ Array($0) }) else { return .entry([]) }
    let parent = Array(parts.dropLast())
    guard name.starts(with: Self.whiteout) else { return .entry(try joined(parts, header)) }
    if name == Self.opaque { return .opaque(try joined(parent, header)) }
    // Other names of AUFS's own.
    if name.starts(with: Self.special) { return nil }
    let hidden = name.dropFirst(Self.whiteout.count)
    return .whiteout(try joined(parent + [hidden], header))
  }

  static let whiteout = [UInt8](".wh.".utf8)
  static let special = [UInt8](".wh..wh.".utf8)
  static let opaque = [UInt8](".wh..wh..opq".utf8)

  private func parts(_ path: [UInt8], _ header: TarReader.Header) throws(PackError) -> [ArraySlice<UInt8>] {
    if path.first == PackEntry.slash { throw refusal(header, .absolute) }
    let parts = path.split(separator: PackEntry.slash).filter { $0 != [0x2e] }
    if parts.contains([0x2e, 0x2e]) { throw refusal(header, .climbs) }
    return parts
  }

  private func joined(_ parts: [ArraySlice<UInt8>], _ header: TarReader.Header) throws(PackError) -> [UInt8] {
    let path = Array(parts.joined(separator: [PackEntry.slash]))
    guard path.isEmpty || PackEntry.isPath(path), parts.count <= Self.mostNames else { throw refusal(header, .badName) }
    return path
  }

  /// How deep an archive may be: an entry brings those on the way to it along, each with its path.
  private static let mostNames = 256

  private func refusal(_ header: TarReader.Header, _ fault: EntryFault) -> PackError {
    .entry(archive: archive, path: header.path, fault)
  }

  // MARK: Adding

  /// - Parameter content: reads the entry's data into the store.
  mutating func add(
    _ header: TarReader.Header, as place: Place, _ content: () throws(PackError) -> PackBuilder.Content
  ) throws(PackError) {
    switch place {
    case .whiteout(let path): try hide(path, header)
    case .opaque(let path):
      try makeParents(of: path + [PackEntry.slash], header)
      makeOpaque(path)
    case .entry(let path):
      if header.hardLink == nil, header.type == FileType.characterDevice, header.major == 0, header.minor == 0 {
        return try hide(path, header)
      }
      try makeParents(of: path, header)
      try put(try entry(header, path, content), header)
    }
  }

  private func entry(
    _ header: TarReader.Header, _ path: [UInt8], _ content: () throws(PackError) -> PackBuilder.Content
  ) throws(PackError) -> PackEntry {
    if let target = header.hardLink {
      let target = try joined(try parts(target, header), header)
      switch entries[target]?.kind {
      case .file?: return PackEntry(path: path, kind: .link(to: target))
      case .link(let first)?: return PackEntry(path: path, kind: .link(to: first))
      // Other kinds have nothing in common but what can be copied.
      case .symlink?, .fifo?, .device?:
        guard var copy = entries[target] else { break }
        copy.path = path
        return copy
      default: break
      }
      throw refusal(header, .linkTarget(header.hardLink ?? []))
    }
    var entry = PackEntry(
      path: path, kind: .fifo, mode: header.mode, uid: header.uid, gid: header.gid, modified: header.modified)
    var isOpaque = false
    for attribute in header.attributes {
      if attribute.name + [0] == MarkName.opaqueTrusted || attribute.name + [0] == MarkName.opaqueUser {
        isOpaque = attribute.value == MarkName.yes
      } else if TreeMetadata.isKept(attribute.name) {
        entry.attributes.append(attribute)
      }
    }
    entry.attributes.sort { $0.name.lexicographicallyPrecedes($1.name) }
    for (one, next) in zip(entry.attributes, entry.attributes.dropFirst()) where one.name == next.name {
      entry.attributes.removeAll { $0 == one }
    }
    switch header.type {
    case FileType.directory: entry.kind = .directory(isOpaque: isOpaque)
    case FileType.regular:
      let content = try content()
      entry.kind = .file(size: content.size, digest: content.digest)
    case FileType.symlink:
      guard let target = header.symlink, !target.isEmpty, target.count < 4096 else {
        throw refusal(header, .symlinkTarget)
      }
      entry.kind = .symlink(target: target)
      entry.mode = 0o777
      entry.attributes = []
    case FileType.fifo: entry.kind = .fifo
    case FileType.characterDevice, FileType.blockDevice:
      entry.kind = .device(
        isBlock: header.type == FileType.blockDevice, major: header.major, minor: header.minor)
    default: throw refusal(header, .kind)
    }
    return entry
  }

  /// Directories that the archive does not have itself are root's.
  private mutating func makeParents(of path: [UInt8], _ header: TarReader.Header) throws(PackError) {
    var path = path[...]
    while let end = path.lastIndex(of: PackEntry.slash) {
      path = path[..<end]
      let parent = Array(path)
      if let entry = entries[parent] {
        // A directory's own parents were there before it.
        if entry.isDirectory { return }
        guard case .whiteout = entry.kind else { throw refusal(header, .beneath(parent)) }
        set(Self.directory(parent, isOpaque: true), at: parent)
        return
      }
      set(Self.directory(parent), at: parent)
    }
  }

  private static func directory(_ path: [UInt8], isOpaque: Bool = false) -> PackEntry {
    PackEntry(path: path, kind: .directory(isOpaque: isOpaque), mode: 0o755)
  }

  /// Later entries of a path replace earlier ones.
  private mutating func put(_ entry: PackEntry, _ header: TarReader.Header) throws(PackError) {
    var entry = entry
    guard let old = entries[entry.path] else {
      if entry.path.isEmpty, !entry.isDirectory { throw refusal(header, .replaces) }
      return enter(entry)
    }
    switch (old.kind, entry.kind) {
    case (.directory(let wasOpaque), .directory(let isOpaque)):
      entry.kind = .directory(isOpaque: wasOpaque || isOpaque)
    case (.whiteout, .directory): entry.kind = .directory(isOpaque: true)
    case (.directory, _), (_, .directory): throw refusal(header, .replaces)
    // A link to the very file that it would replace.
    case (_, .link(let target)) where target == entry.path: return
    default: try forget(old)
    }
    enter(entry)
  }

  private mutating func set(_ entry: PackEntry?, at path: [UInt8]) {
    if let entry { size += MetadataSize(entry) }
    if let old = entries[path] { size -= MetadataSize(old) }
    entries[path] = entry
  }

  private mutating func makeOpaque(_ path: [UInt8]) { entries[path]?.kind = .directory(isOpaque: true) }

  private mutating func enter(_ entry: PackEntry) {
    if case .link(let target) = entry.kind { links[target, default: []].append(entry.path) }
    set(entry, at: entry.path)
  }

  /// Takes an entry out; a file that has other names goes on under the first of these.
  private mutating func forget(_ entry: PackEntry) throws(PackError) {
    relinked += links[entry.path]?.count ?? 0
    if case .link(let target) = entry.kind { relinked += links[target]?.count ?? 0 }
    if relinked > Self.mostRelinked { throw .limit(source: archive, path: entry.path, .entries(Self.mostRelinked)) }
    set(nil, at: entry.path)
    if case .link(let target) = entry.kind { links[target]?.removeAll { $0 == entry.path } }
    guard let others = links.removeValue(forKey: entry.path), let heir = others.first else { return }
    var file = entry
    file.path = heir
    set(file, at: heir)
    for other in others.dropFirst() { enter(PackEntry(path: other, kind: .link(to: heir))) }
  }

  private mutating func hide(_ path: [UInt8], _ header: TarReader.Header) throws(PackError) {
    if path.isEmpty { throw refusal(header, .badName) }
    try makeParents(of: path, header)
    switch entries[path]?.kind {
    case nil: set(PackEntry(path: path, kind: .whiteout), at: path)
    case .directory?: makeOpaque(path)
    // What the archive itself brings is above what it hides.
    default: break
    }
  }

  // MARK: The result

  /// Whether it is a container image: as `docker save` has it (Docker Image Specification 1.2, "Combined Image JSON +
  /// Filesystem Changeset Format"), or an OCI image layout (image-layout.md).
  var isImage: Bool {
    func has(_ path: String) -> Bool {
      if case .file? = entries[Array(path.utf8)]?.kind { return true }
      return false
    }
    if has("oci-layout"), has("index.json") { return true }
    return has("manifest.json")
      && entries.keys.contains { path in
        // Its layers, and beside them nothing but a file for each name.
        path.count > 10 && path.suffix(10).elementsEqual("/layer.tar".utf8)
      }
  }

  /// All that the patterns take, with the directories that lead there.
  func entries(_ patterns: PathPatterns) throws(PackError) -> [PackEntry] {
    var taken = self
    for (path, entry) in entries where !path.isEmpty && !entry.isDirectory && !patterns.take(path) {
      // The heir of a link's file may be left out in its turn.
      if let current = taken.entries[path] { try taken.forget(current) }
    }
    var needed: Set<[UInt8]> = [[]]
    for path in taken.entries.keys.sorted(by: { PackEntry.precedes($1, $0) }) {
      guard let entry = taken.entries[path] else { continue }
      if entry.isDirectory, !needed.contains(path), !patterns.take(path) {
        taken.entries[path] = nil
      } else if let parent = entry.parent {
        needed.insert(parent)
      }
    }
    return Array(taken.entries.values)
  }
}
