import FoundationEssentials
import Packs

/// What commands tell of a pack.
struct PackReport: Encodable {
  var name: String
  var digest: Digest
  var created: Date
  var origin: String
  var files: Int
  var size: UInt64
  /// The directory that a machine has as a layer.
  var tree: String

  init(_ pack: Pack) {
    name = pack.name
    digest = pack.digest
    created = pack.record.created
    origin = pack.record.origin
    files = pack.record.entries
    size = pack.record.size
    tree = pack.tree
  }

  var text: String {
    let lines = [
      ("Name", name), ("Digest", digest.description), ("Created", created.formatted(.iso8601)), ("From", origin),
      ("Files", String(files)), ("Size", ByteCount.text(size)), ("Directory", tree),
    ]
    let width = lines.map(\.0.count).max() ?? 0
    return lines.map { $0 + ":" + String(repeating: " ", count: width - $0.count + 1) + $1 }.joined(separator: "\n")
  }
}

/// Sizes for people.
enum ByteCount {
  static func text(_ bytes: UInt64) -> String {
    if bytes < 1024 { return "\(bytes) B" }
    var tenths = bytes * 10
    var unit = 0
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]
    while tenths >= 10 << 10, unit < units.count - 1 {
      tenths = (tenths + 512) >> 10
      unit += 1
    }
    return "\(tenths / 10).\(tenths % 10) \(units[unit])"
  }
}
