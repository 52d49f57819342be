import FoundationEssentials
import Host

/// A pack of the store.
package struct Pack: Equatable, Sendable {
  package let name: String
  package let record: PackRecord
  /// The directory of its tree and manifest.
  package let directory: String

  package init(name: String, record: PackRecord, directory: String) {
    self.name = name
    self.record = record
    self.directory = directory
  }

  package var digest: Digest { record.digest }
  /// What a machine has as a layer.
  package var tree: String { "\(directory)/tree" }
  package var manifestPath: String { "\(directory)/manifest" }
}

/// `names/NAME`: which pack has the name, and what is good to know of it.
package struct PackRecord: Codable, Equatable, Sendable {
  package var digest: Digest
  package var created: Date
  /// The directory, file or address that it was made of.
  package var origin: String
  package var entries: Int
  /// Bytes of all files.
  package var size: UInt64

  init(digest: Digest, created: Date, origin: String, entries: Int, size: UInt64) {
    self.digest = digest
    self.created = created
    self.origin = origin
    self.entries = entries
    self.size = size
  }

  init?(json: [UInt8]) {
    let decoder = JSONDecoder()
    decoder.dateDecodingStrategy = .iso8601
    guard let record = try? decoder.decode(PackRecord.self, from: Data(json)) else { return nil }
    self = record
  }

  var json: [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    encoder.dateEncodingStrategy = .iso8601
    // Numbers, text and a date: always JSON.
    return ((try? encoder.encode(self)).map { Array($0) } ?? []) + [UInt8(ascii: "\n")]
  }
}

extension Digest: Codable {
  package init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    guard let digest = Digest(try container.decode(String.self)) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "not a digest")
    }
    self = digest
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}

/// A pack that is in use: it cannot be removed for as long as this value lives.
package final class HeldPack {
  package let pack: Pack
  private let lock: FileDescriptor

  init(_ pack: Pack, _ lock: consuming FileDescriptor) {
    self.pack = pack
    self.lock = lock
  }

  /// For a child process to hold, so that the pack counts as in use until that has ended too.
  package var lockDescriptor: Int32 { lock.raw }
}
