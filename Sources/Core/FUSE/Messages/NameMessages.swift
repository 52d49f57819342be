/// FORGET of one node, and each part of BATCH_FORGET (`fuse_forget_one`).
package struct ForgetRequest: Sendable {
  package let node: UInt64
  /// How many lookups the client gives back.
  package let lookups: UInt64

  /// - Parameter node: the node of the header for FORGET, nil for a part of BATCH_FORGET.
  package init(_ reader: inout RequestReader, node: UInt64? = nil) throws(MessageError) {
    if let node { self.node = node } else { self.node = try reader.load() }
    lookups = try reader.load()
  }
}

/// MKNOD (`fuse_mknod_in`).
package struct MknodRequest: Sendable {
  package let mode: UInt32
  /// The device number in the kernel's 32-bit encoding.
  package let device: UInt32
  package let umask: UInt32
  package let name: FileName

  package init(_ reader: inout RequestReader) throws(MessageError) {
    mode = try reader.load()
    device = try reader.load()
    umask = try reader.load()
    try reader.skip(4)
    name = try reader.name()
  }
}

/// MKDIR (`fuse_mkdir_in`).
package struct MkdirRequest: Sendable {
  package let mode: UInt32
  package let umask: UInt32
  package let name: FileName

  package init(_ reader: inout RequestReader) throws(MessageError) {
    mode = try reader.load()
    umask = try reader.load()
    name = try reader.name()
  }
}

/// SYMLINK: the new name, then the target.
package struct SymlinkRequest: Sendable {
  package let name: FileName
  package let target: [UInt8]

  package init(_ reader: inout RequestReader) throws(MessageError) {
    name = try reader.name()
    target = try reader.terminatedBytes(limit: 4095)
  }
}

/// LINK (`fuse_link_in`).
package struct LinkRequest: Sendable {
  /// The node that gets another name.
  package let node: UInt64
  package let name: FileName

  package init(_ reader: inout RequestReader) throws(MessageError) {
    node = try reader.load()
    name = try reader.name()
  }
}

/// RENAME and RENAME2 (`fuse_rename_in`, `fuse_rename2_in`).
package struct RenameRequest: Sendable {
  package let newParent: UInt64
  /// RENAME_* as in renameat2(2).
  package let flags: UInt32
  package let oldName: FileName
  package let newName: FileName

  package init(_ reader: inout RequestReader, hasFlags: Bool) throws(MessageError) {
    newParent = try reader.load()
    if hasFlags {
      flags = try reader.load()
      try reader.skip(4)
    } else {
      flags = 0
    }
    oldName = try reader.name()
    newName = try reader.name()
  }
}

/// Reply of everything that finds or makes a name (`fuse_entry_out`).
package struct EntryReply: Sendable {
  package static let size = 40 + Attributes.size

  /// The node's id, 0 for a name known not to exist.
  package var node: UInt64
  package var generation: UInt64 = 0
  /// How long the name stays, and how long its attributes.
  package var entryValidity: Validity
  package var attributeValidity: Validity
  package var attributes: Attributes

  package init(node: UInt64, entryValidity: Validity, attributeValidity: Validity, attributes: Attributes) {
    self.node = node
    self.entryValidity = entryValidity
    self.attributeValidity = attributeValidity
    self.attributes = attributes
  }

  package func write(to reply: inout ReplyWriter) throws(MessageError) {
    var words = InlineArray<16, UInt64>(repeating: 0)
    var span = words.mutableSpan
    put(into: &span)
    try reply.append(words: words.span)
  }

  /// Lays the entry out in the first 16 words.
  @inline(__always)
  func put(into words: inout MutableSpan<UInt64>) {
    words[0] = node
    words[1] = generation
    words[2] = entryValidity.seconds
    words[3] = attributeValidity.seconds
    words[4] = UInt64(entryValidity.nanoseconds, attributeValidity.nanoseconds)
    attributes.put(into: &words, at: 5)
  }
}
