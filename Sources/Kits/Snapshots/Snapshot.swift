import FoundationEssentials
import Host
import Packs

/// `snapshot.json`: of which machine a snapshot is, and what else of novm's it needs.
package struct SnapshotRecord: Codable, Equatable, Sendable {
  /// Something of a store's that is to stay as long as the snapshot does.
  package struct Need: Codable, Equatable, Sendable {
    package var name: String
    /// Of its contents; nil where it has none.
    package var digest: String?

    package init(name: String, digest: String? = nil) {
      self.name = name
      self.digest = digest
    }
  }

  /// Grows when an older novm could make no sense of it.
  package static let format = 1

  package var format = SnapshotRecord.format
  package var created = Date()
  /// The machine's name and identifier.
  package var machine: String
  package var identifier: String
  package var kernel: Need
  package var packs: [Need] = []

  package init(machine: String, identifier: String, kernel: Need, packs: [Need] = []) {
    self.machine = machine
    self.identifier = identifier
    self.kernel = kernel
    self.packs = packs
  }

  init?(_ bytes: [UInt8]) {
    let decoder = JSONDecoder()
    decoder.dateDecodingStrategy = .iso8601
    guard let record = try? decoder.decode(Self.self, from: Data(bytes)) else { return nil }
    self = record
  }

  var json: [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    encoder.dateEncodingStrategy = .iso8601
    // Strings, numbers and dates of ours.
    return Array((try? encoder.encode(self)) ?? Data())
  }
}

/// A machine's state, and what it wrote until then.
package struct Snapshot: Sendable {
  package let name: String
  package let path: String
  package let record: SnapshotRecord

  /// Memory and devices, as `novmm --restore` takes them.
  package var state: String { "\(path)/\(Part.state)" }
  /// What the machine had written to its own write map.
  package var tree: String { "\(path)/\(Part.tree)" }

  package func definition() throws(SnapshotError) -> [UInt8] { try read(Part.definition) }
  package func layout() throws(SnapshotError) -> [UInt8] { try read(Part.layout) }

  private func read(_ part: String) throws(SnapshotError) -> [UInt8] {
    do { return try Names.read("\(path)/\(part)") } catch { throw .files(error) }
  }

  /// The names of its files.
  enum Part {
    static let record = "snapshot.json"
    static let definition = "machine.json"
    static let layout = "layout.json"
    static let state = "state"
    static let tree = "root"
    static let sums = "sums"

    static let files = [record, definition, layout, state]
  }

  /// Reads all of it.
  ///
  /// - Throws: ``SnapshotError/damaged(_:part:)`` for the first part that is not what it was.
  package func verify() throws(SnapshotError) {
    let lines = String(decoding: try read(Part.sums), as: UTF8.self).split(separator: "\n")
    let parts = Part.files + [Part.tree]
    guard lines.count == parts.count else { throw .damaged(name, part: Part.sums) }
    for (line, part) in zip(lines, parts) where try line != "\(Self.digest(of: part, in: path))" {
      throw .damaged(name, part: part)
    }
  }

  /// A line for each part.
  static func sums(of path: String) throws(SnapshotError) -> [UInt8] {
    var text = ""
    for part in Part.files + [Part.tree] { text += "\(try digest(of: part, in: path))\n" }
    return Array(text.utf8)
  }

  private static func digest(of part: String, in path: String) throws(SnapshotError) -> String {
    do throws(Errno) {
      let flags = part == Part.tree ? OpenFlags.directory : OpenFlags.read
      let file = try FileDescriptor.open("\(path)/\(part)", flags)
      var digest = ContentDigest()
      if part == Part.tree { try digest.add(tree: file) } else { try digest.add(file: file) }
      return "\(digest.finish().hexadecimal)  \(part)"
    } catch {
      throw .system(path: "\(path)/\(part)", error)
    }
  }
}
