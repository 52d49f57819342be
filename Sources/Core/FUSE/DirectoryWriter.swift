/// Fills the reply to READDIR or READDIRPLUS, entry by entry, until the client's buffer is full.
package struct DirectoryWriter {
  /// Bytes of `fuse_dirent` before the name.
  package static let headerSize = 24

  /// Bytes left of what the client asked for.
  private var room: Int
  private let isPlus: Bool

  /// - Parameters:
  ///   - count: what the client asked for, in bytes.
  ///   - isPlus: entries carry attributes (READDIRPLUS).
  package init(count: UInt32, isPlus: Bool, reply: borrowing ReplyWriter) {
    room = max(0, min(Int(count), reply.room))
    self.isPlus = isPlus
  }

  private func size(nameLength: Int) -> Int {
    let plain = DirectoryWriter.headerSize + nameLength + (isPlus ? EntryReply.size : 0)
    return (plain + 7) & ~7
  }

  /// Whether an entry with a name of this length still fits.
  package func fits(nameLength: Int) -> Bool { size(nameLength: nameLength) <= room }

  /// Appends one entry.
  ///
  /// - Parameters:
  ///   - next: the offset at which the directory goes on after this entry.
  ///   - type: DT_* as in readdir(3).
  ///   - entry: what a lookup of the name gives, for READDIRPLUS; node 0 when the client should look it up itself.
  /// - Returns: false when it did not fit; nothing was written then.
  package mutating func append(
    name: Span<UInt8>, inode: UInt64, type: UInt32, next: UInt64, entry: EntryReply?, to reply: inout ReplyWriter
  ) throws(MessageError) -> Bool {
    let size = size(nameLength: name.count)
    guard size <= room else { return false }
    // struct fuse_direntplus: an entry before what fuse_dirent has.
    var words = InlineArray<19, UInt64>(repeating: 0)
    var span = words.mutableSpan
    if isPlus { entry?.put(into: &span) }
    words[16] = inode
    words[17] = next
    words[18] = UInt64(UInt32(truncatingIfNeeded: name.count), type)
    try reply.append(words: words.span.extracting(droppingFirst: isPlus ? 0 : 16))
    try reply.append(name)
    try reply.pad(-name.count & 7)
    room -= size
    return true
  }
}
