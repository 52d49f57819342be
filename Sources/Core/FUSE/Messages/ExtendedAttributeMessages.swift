/// SETXATTR (`fuse_setxattr_in`).
package struct SetxattrRequest: Sendable {
  /// Longest name and value in bytes (XATTR_NAME_MAX, XATTR_SIZE_MAX).
  package static let maximumName = 255
  package static let maximumValue = 65536

  /// XATTR_CREATE, XATTR_REPLACE.
  package let flags: UInt32
  /// setgid is to be cleared along with an access ACL (FUSE_SETXATTR_ACL_KILL_SGID).
  package let killSetgid: Bool
  package let name: [UInt8]
  package let value: [UInt8]

  /// - Parameter isExtended: whether `.setxattrExtended` was agreed on; without it the message is 8 bytes shorter.
  package init(_ reader: inout RequestReader, isExtended: Bool) throws(MessageError) {
    let count: UInt32 = try reader.load()
    flags = try reader.load()
    if isExtended {
      killSetgid = try reader.load(UInt32.self) & 1 != 0
      try reader.skip(4)
    } else {
      killSetgid = false
    }
    name = try reader.terminatedBytes(limit: SetxattrRequest.maximumName)
    guard count <= SetxattrRequest.maximumValue else { throw .truncated }
    value = try reader.bytes(Int(count))
  }
}

/// GETXATTR and LISTXATTR (`fuse_getxattr_in`): `count` 0 asks only for the length.
package struct GetxattrRequest: Sendable {
  package let count: UInt32
  /// Empty for LISTXATTR.
  package let name: [UInt8]

  package init(_ reader: inout RequestReader, hasName: Bool) throws(MessageError) {
    count = try reader.load()
    try reader.skip(4)
    name = hasName ? try reader.terminatedBytes(limit: SetxattrRequest.maximumName) : []
  }
}
