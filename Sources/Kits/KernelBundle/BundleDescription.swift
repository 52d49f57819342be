import FoundationEssentials
import Host

/// `bundle.json`: what a bundle holds, so that nobody has to open the kernel again to know.
package struct BundleDescription: Codable, Equatable, Sendable {
  /// Counts up when an older novm would misread a newer bundle.
  package static let currentFormat = 1

  package struct Entries: Codable, Equatable, Sendable {
    /// The 64-bit entry.
    package var linux64: PhysicalAddress
    package var pvh: PhysicalAddress?
  }

  package struct Origin: Codable, Equatable, Sendable {
    package enum Kind: String, Codable, Sendable {
      case runningSystem = "running-system"
      case image
      case package
      /// Another store's bundle.
      case archive
    }
    package var kind: Kind
    /// The image's path, the package's name and version, or the archive's path or address.
    package var name: String
  }

  package var format = currentFormat
  package var release: String
  /// The whole version text of a bzImage: release, builder, date.
  package var version: String?
  package var buildID: String?
  package var entries: Entries
  /// As in `2.15`; absent for a bare vmlinux.
  package var bootProtocol: String?
  /// How the kernel was packed; absent for a bare vmlinux.
  package var payload: Compression?
  package var support: GuestSupport
  /// What `/modules.order` of the initramfs lists.
  package var modules: [String]
  package var origin: Origin
  package var imported: Date
  /// Bytes of all files of the bundle.
  package var size: Int

  static func read(_ path: String) throws(KernelBundleError) -> BundleDescription {
    let data = Data(try Files.read(path))
    let decoder = JSONDecoder()
    decoder.dateDecodingStrategy = .iso8601
    guard let description = try? decoder.decode(BundleDescription.self, from: data),
      description.format <= currentFormat
    else { throw .badDescription(path: path) }
    return description
  }

  func write(to path: String) throws(KernelBundleError) {
    guard let json = try? json() else { throw .badDescription(path: path) }
    try Files.write(json, to: path)
  }

  package func json() throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    encoder.dateEncodingStrategy = .iso8601
    return Array(try encoder.encode(self)) + [UInt8(ascii: "\n")]
  }
}

/// A guest-physical address, in JSON as `"0x1000000"`.
package struct PhysicalAddress: Codable, Equatable, Sendable, CustomStringConvertible {
  package var value: UInt64

  package init(_ value: UInt64) { self.value = value }

  package var description: String { "0x" + String(value, radix: 16) }

  package init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let text = try container.decode(String.self)
    guard text.hasPrefix("0x"), let value = UInt64(text.dropFirst(2), radix: 16) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "not an address: \(text)")
    }
    self.value = value
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}
