import Glibc
import Host

/// The files of all packs, each once: a file of the same content, owner, mode, time and attributes is a hard link to the
/// one that is there.
///
///     PACKS/objects/XX/CONTENT-METADATA    XX the first two digits of CONTENT, the content's SHA-256
///
/// What no pack has any more has one link left, and goes with the pack that had it last.
final class ObjectPool {
  let directory: String
  /// The objects' names by their first byte, as they were when first asked for.
  private var listings: [UInt8: [Digest: [String]]] = [:]
  /// Linux has no limit, but ext4 has 65,000 links to a file.
  private var full: Set<String> = []

  init(directory: String) { self.directory = directory }

  /// The name of a file's object.
  static func name(_ content: Digest, _ entry: PackEntry) -> String {
    var metadata = Array(
      "\(String(entry.mode, radix: 8)) \(entry.uid) \(entry.gid) \(ManifestText.time(entry.modified))\n".utf8)
    ManifestText.encode(entry.attributes, into: &metadata)
    return "\(content.hexadecimal)-\(Digest.of(metadata).hexadecimal.prefix(16))"
  }

  func path(_ name: String) -> String { "\(directory)/\(name.prefix(2))/\(name)" }

  /// Objects with this content, whatever else they are.
  func candidates(_ content: Digest) -> [String] {
    let first = content.bytes[0]
    if listings[first] == nil {
      var listing: [Digest: [String]] = [:]
      let directory = "\(self.directory)/\(content.hexadecimal.prefix(2))"
      for name in (try? Names.list(directory)) ?? [] {
        guard let digest = Digest(hexadecimal: name.utf8.prefix(64)) else { continue }
        listing[digest, default: []].append(name)
      }
      listings[first] = listing
    }
    return listings[first]?[content] ?? []
  }

  /// Links an object to a name of a directory, if there is one and it looks as it should.
  func link(_ name: String, size: UInt64, modified: FileTime, to directory: Int32, _ target: [UInt8]) -> Bool {
    if full.contains(name) { return false }
    let object = Array(path(name).utf8) + [0]
    guard let status = try? FileCalls.status(AT_FDCWD, object.span), status.isRegular, status.length == size,
      status.modified == modified
    else { return false }
    do throws(Errno) {
      try FileCalls.link(AT_FDCWD, object.span, to: directory, target.span)
      return true
    } catch {
      if error == .tooManyLinks { full.insert(name) }
      return false
    }
  }

  /// Takes a file in. One that is there already, and whole, stays.
  func add(_ name: String, from file: String, size: UInt64, modified: FileTime) throws(PackError) {
    let path = path(name)
    if link(file, to: path) { return }
    switch Errno.current {
    case .notFound:
      try Names.makeDirectories("\(directory)/\(name.prefix(2))")
      if link(file, to: path) { return }
    case .exists:
      // Somebody has written to it; what has it keeps it, and whatever comes gets the good one.
      let object = Array(path.utf8) + [0]
      if let status = try? FileCalls.status(AT_FDCWD, object.span), status.length != size || status.modified != modified
      {
        let fresh = "\(path).\(Names.random())"
        if link(file, to: fresh) { try Names.rename(fresh, path) }
      }
      return
    default: break
    }
    // Without its object the pack is as good.
    if Errno.current != .exists, Errno.current != .tooManyLinks { throw .system(.link, path, .current) }
  }

  private func link(_ from: String, to path: String) -> Bool { unsafe Glibc.link(from, path) == 0 }

  /// Removes all objects that nothing else has, with the store's lock held.
  func sweep() {
    for first in (try? Names.list(directory)) ?? [] {
      for name in (try? Names.list("\(directory)/\(first)")) ?? [] { dropFile("\(directory)/\(first)/\(name)") }
    }
  }

  /// Removes an object that nothing else has.
  func drop(_ name: String) {
    dropFile(path(name))
  }

  private func dropFile(_ path: String) {
    let object = Array(path.utf8) + [0]
    if let status = try? FileCalls.status(AT_FDCWD, object.span), status.isRegular, status.links == 1 {
      _ = unsafe unlink(path)
    }
  }
}
