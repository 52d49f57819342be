/// The client's side of version and feature negotiation (`fuse_init_in`).
package struct InitRequest: Sendable {
  package let major: UInt32
  package let minor: UInt32
  package let maximumReadahead: UInt32
  package let flags: InitFlags

  package init(_ reader: inout RequestReader) throws(MessageError) {
    major = try reader.load()
    minor = try reader.load()
    // A client of another major version may send no more than the two numbers.
    guard major == FUSE.majorVersion else {
      maximumReadahead = 0
      flags = []
      return
    }
    maximumReadahead = try reader.load()
    let low = InitFlags(rawValue: UInt64(try reader.load(UInt32.self)))
    if low.contains(.initExtended) {
      let high: UInt32 = try reader.load()
      flags = low.union(InitFlags(rawValue: UInt64(high) << 32))
    } else {
      flags = low
    }
  }
}

/// The server's side (`fuse_init_out`).
package struct InitReply: Sendable {
  package static let size = 64

  package var minor = FUSE.minorVersion
  package var maximumReadahead: UInt32 = 0
  package var flags: InitFlags = []
  /// Requests that may wait in the background (readahead, writeback) and from how many on the client slows down.
  package var maximumBackground: UInt16 = 0
  package var congestionThreshold: UInt16 = 0
  /// Largest WRITE, in bytes.
  package var maximumWrite: UInt32 = 0
  /// Granularity of times, in nanoseconds.
  package var timeGranularity: UInt32 = 1
  /// Largest request, in pages.
  package var maximumPages: UInt16 = 0
  /// log2 of the alignment of DAX mappings.
  package var mapAlignment: UInt16 = 0

  package init() {}

  package func write(to reply: inout ReplyWriter) throws(MessageError) {
    try reply.append(FUSE.majorVersion)
    try reply.append(minor)
    try reply.append(maximumReadahead)
    try reply.append(UInt32(truncatingIfNeeded: flags.rawValue))
    try reply.append(maximumBackground)
    try reply.append(congestionThreshold)
    try reply.append(maximumWrite)
    try reply.append(timeGranularity)
    try reply.append(maximumPages)
    try reply.append(mapAlignment)
    try reply.append(UInt32(truncatingIfNeeded: flags.rawValue >> 32))
    try reply.pad(28)
  }
}
