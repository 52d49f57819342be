import Glibc
import Host

extension PackStore {
  /// One path of a pack that is not what it was made as.
  package struct Fault: Equatable, Sendable {
    package enum Kind: String, Sendable {
      case missing, unexpected, content, metadata
    }
    package var path: [UInt8]
    package var kind: Kind
  }

  /// Compares all of a pack with its manifest.
  package func verify(
    _ pack: Pack, progress: (Int) -> Void = { _ in }
  ) throws(PackError) -> [Fault] {
    let manifest = try manifest(of: pack)
    var source = DirectorySource(Array(pack.tree.utf8), patterns: try PathPatterns(), isRecorded: true)
    source.isPack = true
    let root = try Names.directory(pack.tree)
    var walk = DirectoryWalk(source: source, builder: nil)
    try walk.take(root.raw, progress: progress)
    var found: [[UInt8]: PackEntry] = [:]
    for entry in walk.taken { found[entry.path] = entry }
    var files: [[UInt8]: PackEntry] = [:]
    var faults: [Fault] = []
    for entry in manifest.entries {
      var expected = entry
      if case .file = entry.kind { files[entry.path] = entry }
      if case .link(let target) = entry.kind, let file = files[target] {
        expected = file
        expected.path = entry.path
      }
      guard let actual = found.removeValue(forKey: entry.path) else {
        faults.append(Fault(path: entry.path, kind: .missing))
        continue
      }
      if let kind = Self.difference(expected, actual) { faults.append(Fault(path: entry.path, kind: kind)) }
    }
    for path in found.keys.sorted(by: PackEntry.precedes) { faults.append(Fault(path: path, kind: .unexpected)) }
    return faults
  }

  private static func difference(_ expected: PackEntry, _ actual: PackEntry) -> Fault.Kind? {
    if expected.kind != actual.kind { return .content }
    var expected = expected
    var actual = actual
    switch expected.kind {
    case .whiteout: return nil
    case .symlink:
      // Without root there is not always room for whom they belong to; their mode means nothing.
      if geteuid() != 0 { (expected.uid, expected.gid) = (actual.uid, actual.gid) }
      (expected.mode, expected.attributes) = (actual.mode, actual.attributes)
    default: break
    }
    // What the tree cannot keep is in the manifest alone.
    expected.attributes.removeAll { TreeMetadata.keptName($0.name) == nil }
    actual.attributes.removeAll { TreeMetadata.keptName($0.name) == nil }
    return expected == actual ? nil : .metadata
  }
}
