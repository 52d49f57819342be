/// Paths of the guest's that wait to be stamped, each once, in the order in which they came.
///
/// It is bounded: where too many wait, whoever changes more at a time is told of by directories, and in the end by the share.
struct StampQueue {
  private var paths: [[UInt8]] = []
  private var known: Set<[UInt8]> = []
  /// Bytes of all paths.
  private var size = 0
  /// The roots of those shares of which something waits.
  private var shares: Set<[UInt8]> = []

  var count: Int { paths.count }

  /// - Parameters:
  ///   - directory: what the path is in.
  ///   - share: the root of all that is shared there.
  mutating func add(_ path: [UInt8], in directory: [UInt8], of share: [UInt8]) {
    shares.insert(share)
    let told = count < Self.limit ? path : directory
    guard !known.contains(told) else { return }
    if count >= Self.limit + WatchedShare.mostDirectories || size + told.count > Self.mostBytes {
      let roots = shares.sorted { $0.lexicographicallyPrecedes($1) }
      (paths, known, size) = ([], [], 0)
      for root in roots { append(root) }
    } else {
      append(told)
    }
  }

  mutating func take(_ most: Int) -> [[UInt8]] {
    let taken = Array(paths.prefix(most))
    paths.removeFirst(taken.count)
    known.subtract(taken)
    for path in taken { size -= path.count }
    if paths.isEmpty { shares = [] }
    return taken
  }

  private mutating func append(_ path: [UInt8]) {
    known.insert(path)
    paths.append(path)
    size += path.count
  }

  /// What waits at most, but for directories.
  static let limit = 256
  static let mostBytes = 1 << 20
}

/// What waits of both kinds, of which neither waits for the other's end.
struct StampQueues {
  private var content = StampQueue()
  private var attributes = StampQueue()
  private var last = GuestStamps.Kind.attributes

  /// As ``StampQueue/add(_:in:of:)``.
  mutating func add(_ path: [UInt8], _ kind: GuestStamps.Kind, in directory: [UInt8], of share: [UInt8]) {
    switch kind {
    case .content: content.add(path, in: directory, of: share)
    case .attributes: attributes.add(path, in: directory, of: share)
    }
  }

  /// Takes some of one kind, the other one each time; nil if nothing waits.
  mutating func take(_ most: Int) -> (GuestStamps.Kind, [[UInt8]])? {
    let isContent = attributes.count == 0 || content.count > 0 && last == .attributes
    last = isContent ? .content : .attributes
    let paths = isContent ? content.take(most) : attributes.take(most)
    return paths.isEmpty ? nil : (last, paths)
  }
}
