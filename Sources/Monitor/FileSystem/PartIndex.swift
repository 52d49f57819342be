import Host

/// Which of the packs that a directory is merged of have which names, so that a lookup asks those alone that have it, and not
/// a hundred in vain: an image has up to 127 layers.
///
/// A hash stands for each name. Of two names with one hash a pack is asked in vain; none that has the name is passed over. Packs
/// never change, so neither does this.
final class PartIndex: Sendable {
  /// In order: 48 bits of a name's hash, and in the low 16 the pack's place among the directory's packs, from the top.
  private let entries: [UInt64]
  /// Of how many packs, which are the last of the directory's parts.
  let packCount: Int
  private let indices: PartIndices

  fileprivate init(_ entries: [UInt64], packCount: Int, _ indices: PartIndices) {
    self.entries = entries
    self.packCount = packCount
    self.indices = indices
  }

  deinit { indices.giveBack(entries.count) }

  /// Where the entries of a hash begin.
  fileprivate func start(of hash: UInt64) -> Int {
    var (low, high) = (0, entries.count)
    while low < high {
      let middle = (low + high) / 2
      if entries[middle] < hash { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// The pack of an entry; nil behind the last one of the hash.
  fileprivate func pack(at place: Int, of hash: UInt64) -> Int? {
    guard place < entries.count, entries[place] & ~0xffff == hash else { return nil }
    return Int(entries[place] & 0xffff)
  }

  /// Guests and images choose names: without it they could choose ones that collide.
  private static let seed = UInt64.random(in: .min ... .max)

  /// - Parameter name: with its NUL.
  fileprivate static func hash(_ name: Span<UInt8>) -> UInt64 {
    var hash = seed
    for index in name.indices { hash = ((hash ^ UInt64(name[index])) &* 0x100_0000_01b3) ^ (hash >> 47) }
    return (hash ^ hash >> 29) << 16
  }

  /// An index that is being made: of each pack in turn all names, marks of removed ones too.
  struct Maker {
    private var entries: [UInt64] = []
    private var packCount = 0
    private let limit: Int

    fileprivate init(limit: Int) { self.limit = limit }

    mutating func add(_ name: [UInt8]) {
      // One more than there is room for tells that it is not whole.
      if entries.count <= limit { entries.append(PartIndex.hash(name.span) | UInt64(packCount)) }
    }

    /// What follows is of the next pack.
    mutating func endPack() { packCount += 1 }

    fileprivate consuming func index(_ indices: PartIndices) -> PartIndex? {
      guard indices.take(entries.count) else { return nil }
      entries.sort()
      return PartIndex(entries, packCount: packCount, indices)
    }
  }

  /// The parts of a directory to ask for a name, from the top.
  struct Walk {
    private let count: Int
    /// Parts before the first one that an index knows; all where there is none.
    private let before: Int
    private var position = 0
    private let index: PartIndex?
    private var entry = 0
    private let hash: UInt64

    /// - Parameter name: with its NUL.
    init(_ parts: [DirectoryPart], _ name: Span<UInt8>, _ indices: PartIndices) {
      count = parts.count
      if let found = indices.index(of: parts) {
        index = found
        before = count - found.packCount
        hash = PartIndex.hash(name)
        entry = found.start(of: hash)
      } else {
        (index, before, hash) = (nil, count, 0)
      }
    }

    mutating func next() -> Int? {
      if position < before {
        position += 1
        return position - 1
      }
      guard let index, let pack = index.pack(at: entry, of: hash) else { return nil }
      entry += 1
      return before + pack
    }
  }
}

/// The indices of a tree, and what they may take together: what has no room for one is looked up by asking.
final class PartIndices: @unchecked Sendable {
  private let lock = Lock()
  private var room: Int

  /// Fewer packs are asked.
  static let fewest = 4
  private static let most = 1 << 16
  /// An index takes about four calls for each pack, and saves one for each miss.
  private static let missesForEach = 4

  /// - Parameter room: entries, of eight bytes each.
  init(room: Int = 4 << 20) { self.room = room }

  fileprivate func take(_ count: Int) -> Bool {
    lock.withLock {
      guard count <= room else { return false }
      room -= count
      return true
    }
  }

  fileprivate func giveBack(_ count: Int) { lock.withLock { room += count } }

  /// The one of a directory, if there is one.
  func index(of parts: [DirectoryPart]) -> PartIndex? {
    guard parts.count >= Self.fewest, let first = parts.firstIndex(where: { $0.layer.isPack }) else { return nil }
    // Others come and go above, such as a write map's.
    guard let index = lock.withLock({ parts[first].index }), index.packCount == parts.count - first else { return nil }
    return index
  }

  /// The place of the topmost pack of a directory that should have an index and has none: many packs, with nothing else below.
  func placeForIndex(_ parts: [DirectoryPart]) -> Int? {
    guard parts.count >= Self.fewest, let first = parts.firstIndex(where: { $0.layer.isPack }),
      Self.fewest...Self.most ~= parts.count - first, lock.withLock({ parts[first].index }) == nil,
      parts[first...].allSatisfy({ $0.layer.isPack })
    else { return nil }
    return first
  }

  func maker() -> PartIndex.Maker { PartIndex.Maker(limit: lock.withLock { room }) }

  /// Has lookups in a directory find its index, if there is room.
  func set(_ maker: consuming PartIndex.Maker, _ first: DirectoryPart) {
    guard let index = maker.index(self) else { return }
    lock.withLock { if first.index == nil { first.index = index } }
  }

  /// Notes packs that were asked for a name in vain.
  ///
  /// - Returns: whether an index would by now have been worth it; once.
  func isWorthIndex(_ parts: [DirectoryPart], misses: Int) -> Bool {
    guard misses >= Self.fewest - 1, let first = placeForIndex(parts) else { return false }
    return lock.withLock {
      let before = parts[first].misses
      let (enough, after) = (Self.missesForEach * parts.count, before + misses)
      parts[first].misses = min(after, enough)
      return before < enough && after >= enough
    }
  }
}
