/// The client's side of version and feature negotiation (`fuse_init_in`).
public struct InitRequest: Sendable {
  public let major: UInt32
  public let minor: UInt32
  public let maximumReadahead: UInt32
  public let flags: InitFlags

  public init(_ reader: inout RequestReader) throws(MessageError) {
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
public struct InitReply: Sendable {
  public static let size = 64

  public var minor = FUSE.minorVersion
  public var maximumReadahead: UInt32 = 0
  public var flags: InitFlags = []
  /// Requests that may wait in the background (readahead, writeback) and from how many on the client slows down.
  public var maximumBackground: UInt16 = 0
  public var congestionThreshold: UInt16 = 0
  /// Largest WRITE, in bytes.
  public var maximumWrite: UInt32 = 0
  /// Granularity of times, in nanoseconds.
  public var timeGranularity: UInt32 = 1
  /// Largest request, in pages.
  public var maximumPages: UInt16 = 0
  /// log2 of the alignment of DAX mappings.
  public var mapAlignment: UInt16 = 0

  public init() {}

  public func write(to reply: inout ReplyWriter) throws(MessageError) {
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
