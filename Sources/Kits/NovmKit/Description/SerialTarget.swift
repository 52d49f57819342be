import Host

/// Where a serial port of the guest's leads.
package enum SerialTarget: Equatable, Sendable {
  /// A file, which takes what the guest writes.
  case file([UInt8])
  /// A Unix socket that somebody listens at, for both ways.
  case socket([UInt8])

  private static let socketPrefix = Array("unix:".utf8)

  /// Reads `FILE` or `unix:PATH`.
  ///
  /// - Parameter directory: what a relative path is relative to.
  /// - Returns: nil for an empty path.
  package init?(_ text: [UInt8], directory: [UInt8]) {
    let isSocket = text.starts(with: Self.socketPrefix)
    let given = isSocket ? Array(text.dropFirst(Self.socketPrefix.count)) : text
    guard !given.isEmpty else { return nil }
    let path = Path(given).absolute(in: directory).bytes
    self = isSocket ? .socket(path) : .file(path)
  }

  /// As ``init(_:directory:)`` reads it, and novmm takes it.
  package var argument: [UInt8] {
    switch self {
    case .file(let path): path
    case .socket(let path): Self.socketPrefix + path
    }
  }
}
