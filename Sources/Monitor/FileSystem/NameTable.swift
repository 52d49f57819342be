/// From a directory and a name to the slot of the node that the guest knows there: a hash table with linear probing, which
/// looks up without allocating, and grows without a look at the nodes. Guarded by the node table's lock.
struct NameTable {
  private enum Mark {
    static let free: UInt64 = 0
    static let removed: UInt64 = 1
  }

  private var hashes: [UInt64]
  private var slots: [UInt32]
  private(set) var count = 0
  /// Places that are not free, removed ones among them.
  private var used = 0
  /// Guests choose names: without it they could choose ones that collide.
  private let seed: UInt64

  init() {
    hashes = [UInt64](repeating: Mark.free, count: 1024)
    slots = [UInt32](repeating: 0, count: 1024)
    seed = UInt64.random(in: .min ... .max)
  }

  func hash(_ parent: Node, _ name: Span<UInt8>) -> UInt64 {
    var hash = seed ^ (parent.id &* 0x9e37_79b9_7f4a_7c15)
    for index in name.indices { hash = ((hash ^ UInt64(name[index])) &* 0x100_0000_01b3) ^ (hash >> 47) }
    hash ^= hash >> 32
    return hash <= Mark.removed ? hash &+ 2 : hash
  }

  /// The first slot under this hash that is the one looked for.
  @inline(__always)
  func find(_ hash: UInt64, _ isIt: (Int) -> Bool) -> Int? {
    let mask = hashes.count - 1
    var place = Int(truncatingIfNeeded: hash) & mask
    while hashes[place] != Mark.free {
      if hashes[place] == hash, isIt(Int(slots[place])) { return Int(slots[place]) }
      place = (place + 1) & mask
    }
    return nil
  }

  /// The slot must not be in the table under this hash yet.
  mutating func insert(_ slot: Int, _ hash: UInt64) {
    if (used + 1) * 4 > hashes.count * 3 { rehash() }
    put(UInt32(slot), hash)
    count += 1
  }

  private mutating func put(_ slot: UInt32, _ hash: UInt64) {
    let mask = hashes.count - 1
    var place = Int(truncatingIfNeeded: hash) & mask
    while hashes[place] > Mark.removed { place = (place + 1) & mask }
    if hashes[place] == Mark.free { used += 1 }
    hashes[place] = hash
    slots[place] = slot
  }

  mutating func remove(_ slot: Int, _ hash: UInt64) {
    let mask = hashes.count - 1
    var place = Int(truncatingIfNeeded: hash) & mask
    while hashes[place] != Mark.free {
      if hashes[place] == hash, slots[place] == UInt32(slot) {
        hashes[place] = Mark.removed
        count -= 1
        return
      }
      place = (place + 1) & mask
    }
  }

  private mutating func rehash() {
    let (oldHashes, oldSlots) = (hashes, slots)
    let size = count * 2 > oldHashes.count ? oldHashes.count * 2 : oldHashes.count
    hashes = [UInt64](repeating: Mark.free, count: size)
    slots = [UInt32](repeating: 0, count: size)
    used = 0
    for place in oldHashes.indices where oldHashes[place] > Mark.removed { put(oldSlots[place], oldHashes[place]) }
  }
}
