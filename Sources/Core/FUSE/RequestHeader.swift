/// What every request begins with (`fuse_in_header`).
package struct RequestHeader: Sendable {
  package static let size = 40

  /// Length of the whole request, in bytes.
  package let length: UInt32
  /// See `Opcode`; other values are for the server to refuse.
  package let opcode: UInt32
  /// Names the request in its reply.
  package let unique: UInt64
  /// The node that the request is about.
  package let node: UInt64
  package let uid: UInt32
  package let gid: UInt32
  package let pid: UInt32
  /// Length of the extensions at the end, in units of 8 bytes (since 7.38).
  package let extensionLength: UInt16

  /// Reads the header and bounds `reader` to the arguments, without extensions.
  ///
  /// - Throws: `truncated` when the request is shorter than it says, or too short to be one.
  package init(_ reader: inout RequestReader) throws(MessageError) {
    let total = reader.remaining
    length = try reader.load()
    opcode = try reader.load()
    unique = try reader.load()
    node = try reader.load()
    uid = try reader.load()
    gid = try reader.load()
    pid = try reader.load()
    extensionLength = try reader.load()
    try reader.skip(2)
    let arguments = Int(length) - RequestHeader.size - Int(extensionLength) * 8
    guard Int(length) <= total, arguments >= 0 else { throw .truncated }
    reader.limit(to: arguments)
  }
}
