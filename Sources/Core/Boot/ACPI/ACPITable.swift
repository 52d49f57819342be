import LittleEndian

/// A system description table: the common header (ACPI 6.5, 5.2.6) before a body.
struct ACPITable {
  static let oemID = "NOVM  "

  let signature: String
  let revision: UInt8
  var body: [UInt8] = []

  init(_ signature: String, revision: UInt8) {
    self.signature = signature
    self.revision = revision
  }

  /// Header, body and checksum.
  var bytes: [UInt8] {
    var bytes: [UInt8] = []
    bytes.append(ascii: signature)
    bytes.append(field: UInt32(36 + body.count))
    bytes.append(revision)
    bytes.append(0)
    bytes.append(ascii: Self.oemID)
    bytes.append(ascii: "NOVM    ")  // OEM table ID
    bytes.append(field: UInt32(1))
    bytes.append(ascii: "NOVM")  // who made the table
    bytes.append(field: UInt32(1))
    bytes.append(contentsOf: body)
    bytes[9] = Self.checksum(bytes[...])
    return bytes
  }

  /// The byte that makes the sum zero.
  static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt8 { bytes.reduce(0) { $0 &- $1 } }
}
