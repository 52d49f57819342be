import FoundationEssentials
import Glibc
import Host
import Packs

/// Makes a bundle of an archive, which may be anybody's.
///
/// No name of the archive's is a name on the disk before all of it has been read and found to be a bundle: contents are
/// staged under numbers.
final class BundleUnpacking {
  /// The new bundle.
  private let directory: String
  private let staging: String
  private let origin: String
  private var staged: [Digest: String] = [:]

  /// More files and bytes than any kernel has.
  private static let entryLimit = 100_000
  private static let nameLimit = 32 << 20
  private static let byteLimit: UInt64 = 8 << 30

  init(directory: String, staging: String, origin: String) {
    self.directory = directory
    self.staging = staging
    self.origin = origin
  }

  func unpack(
    _ file: Int32, digest: Digest?, noguest: String, progress: @escaping (ImportProgress) -> Void
  ) throws(KernelBundleError) -> BundleDescription {
    try Files.makeDirectories(staging)
    var entries = try BundleArchive.attempt { () throws(PackError) in
      let source = ArchiveSource(Array(origin.utf8), patterns: try PathPatterns(), digest: digest)
      let room = PackStore(directory: staging).room
      var limits = PackLimits(entries: Self.entryLimit, bytes: min(room, Self.byteLimit))
      (limits.totalNameBytes, limits.totalAttributeBytes) = (Self.nameLimit, 1 << 20)
      // Blocks come fast, and a terminal is slow.
      var shown: UInt64 = 0
      return try source.entries(file, limits: limits) { bytes in
        guard bytes - shown >= 1 << 22 else { return }
        shown = bytes
        progress(.reading(bytes: bytes))
      } _: { (_, read) throws(PackError) in
        try self.stage(read)
      }
    }
    entries.sort { PackEntry.precedes($0.path, $1.path) }
    for entry in entries where !Self.belongs(entry) {
      throw .notOfABundle(archive: Array(origin.utf8), path: entry.path)
    }
    try Files.makeDirectories(directory)
    // A hard link may come before what it links to, by name.
    for entry in entries where !entry.isLink { try make(entry) }
    for entry in entries where entry.isLink { try make(entry) }
    progress(.decompressing(path: "\(origin): vmlinux"))
    return try finish(noguest)
  }

  // MARK: Contents

  private func stage(_ read: ArchiveSource.Reader) throws(PackError) -> PackBuilder.Content {
    let path = "\(staging)/\(staged.count)"
    let file = try writing(path) { () throws(Errno) in
      try FileDescriptor.open(path, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o644)
    }
    let number = file.raw
    var hash = SHA256()
    var content = PackBuilder.Content(size: 0, digest: hash.digest())
    var buffer = [UInt8](repeating: 0, count: FileData.blockSize)
    while true {
      let count = try read(&buffer)
      if count == 0 { break }
      hash.update(buffer, count: count)
      let (block, offset) = (buffer, content.size)
      // What is a hole there, novmm need not read (docs/decisions/0016-kernels-are-copied.md).
      try writing(path) { () throws(Errno) in try FileData.write(block, count, to: number, at: offset) }
      content.size += UInt64(count)
      if content.size > Self.byteLimit {
        throw .limit(source: Array(origin.utf8), path: [], .bytes(Self.byteLimit))
      }
    }
    content.digest = hash.digest()
    let size = content.size
    try writing(path) { () throws(Errno) in try FileCalls.truncate(file.raw, to: size) }
    if staged[content.digest] == nil { staged[content.digest] = path }
    return content
  }

  private func writing<Result: ~Copyable>(
    _ path: String, _ body: () throws(Errno) -> Result
  ) throws(PackError) -> Result {
    do throws(Errno) { return try body() } catch {
      throw .system(operation: .write, path: Array(path.utf8), error)
    }
  }

  // MARK: The bundle

  private static func belongs(_ entry: PackEntry) -> Bool {
    let path = String(decoding: entry.path, as: UTF8.self)
    switch entry.kind {
    case .directory(isOpaque: false): return path.isEmpty || isModules(path)
    case .file: return BundleArchive.isFile(path) || isModules(path)
    case .link: return isModules(path)
    default: return false
    }
  }

  private static func isModules(_ path: String) -> Bool {
    path == BundleArchive.modules || path.hasPrefix("\(BundleArchive.modules)/")
  }

  /// With its directory made already.
  private func make(_ entry: PackEntry) throws(KernelBundleError) {
    if entry.path.isEmpty { return }
    let name = String(decoding: entry.path, as: UTF8.self)
    // Bytes that are not text would be other bytes on the disk.
    guard Array(name.utf8) == entry.path else { throw .notOfABundle(archive: Array(origin.utf8), path: entry.path) }
    let path = "\(directory)/\(name)"
    switch entry.kind {
    case .directory: try Files.makeDirectories(path)
    case .file(_, let digest):
      // What is twice in a bundle is two names of one file: none is ever written in place.
      guard let file = staged[digest] else { throw .damagedBundle(path: path) }
      try Files.link(file, path)
    case .link(let target): try Files.link("\(directory)/\(String(decoding: target, as: UTF8.self))", path)
    default: break
    }
  }

  private func finish(_ noguest: String) throws(KernelBundleError) -> BundleDescription {
    let path = "\(directory)/\(BundleArchive.description)"
    guard Files.kind(path) == .file, var description = try? BundleDescription.read(path), description.isPlain else {
      throw .badArchiveDescription(archive: Array(origin.utf8))
    }
    let kernel: KernelImage
    for name in ["vmlinux", "initramfs"] + (description.bootProtocol == nil ? [] : ["setup"])
    where Files.kind("\(directory)/\(name)") != .file {
      throw .archive(.archive(path: Array(origin.utf8), "has no \(name)"))
    }
    let image = try Files.read("\(directory)/vmlinux")
    do throws(ImageFault) { kernel = try KernelImage(image) } catch {
      throw .image(path: "\(origin): vmlinux", error)
    }
    description.entries = .init(linux64: .init(kernel.entry), pvh: kernel.pvhEntry.map(PhysicalAddress.init))
    description.buildID = kernel.buildID
    description.origin = .init(kind: .archive, name: origin)
    description.imported = Date(timeIntervalSince1970: Date().timeIntervalSince1970.rounded(.down))
    try Files.removeTree(path)
    description.size = try Files.treeSize(directory)
    try description.write(to: path)
    let bundle = try KernelBundle(name: description.release, directory: directory)
    do throws(KernelBundleError) { try bundle.refreshInitramfs(noguest: noguest) } catch {
      guard case .damagedBundle = error else { throw error }
      throw .archive(.archive(path: Array(origin.utf8), "its initramfs is damaged"))
    }
    return description
  }
}

extension BundleDescription {
  /// Whether its texts are what a kernel's can be, and no words for a terminal; and its release one name.
  fileprivate var isPlain: Bool {
    let texts = [release, version, buildID, bootProtocol].compactMap { $0 } + modules
    guard !release.isEmpty, release.utf8.count <= 128, !release.hasPrefix("."), !release.contains("/") else {
      return false
    }
    return texts.allSatisfy { text in
      text.utf8.count <= 1024 && text.unicodeScalars.allSatisfy { (0x20..<0x7f).contains($0.value) }
    }
  }
}

extension PackEntry {
  fileprivate var isLink: Bool {
    if case .link = kind { return true }
    return false
  }
}
