/// SETUPMAPPING (`fuse_setupmapping_in`): shows a piece of a file in the DAX window.
package struct SetupMappingRequest: Sendable {
  package let fileOffset: UInt64
  package let count: UInt64
  package let isWritable: Bool
  /// Where in the window.
  package let windowOffset: UInt64

  package init(_ reader: inout RequestReader) throws(MessageError) {
    // Linux names no handle here but asks by node.
    try reader.skip(8)
    fileOffset = try reader.load()
    count = try reader.load()
    let flags: UInt64 = try reader.load()
    isWritable = flags & 1 != 0
    windowOffset = try reader.load()
  }
}

/// One part of REMOVEMAPPING (`fuse_removemapping_one`).
package struct RemoveMappingRequest: Sendable {
  /// How many there are in one request at most (FUSE_REMOVEMAPPING_MAX_ENTRY: those of a page).
  package static let limit: UInt32 = 256

  package let windowOffset: UInt64
  package let count: UInt64

  package init(_ reader: inout RequestReader) throws(MessageError) {
    windowOffset = try reader.load()
    count = try reader.load()
  }
}
