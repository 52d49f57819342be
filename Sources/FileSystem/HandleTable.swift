import Host

/// The guest's open handles by number. A number is never given out twice, so what a guest makes up finds nothing.
final class HandleTable {
  private let lock = Lock()
  private var slots: [Handle?] = []
  private var generations: [UInt32] = []
  private var free: [Int] = []

  func add(_ handle: Handle) -> UInt64 {
    lock.withLock {
      let slot: Int
      if let reused = free.popLast() {
        slot = reused
      } else {
        slot = slots.count
        slots.append(nil)
        generations.append(1)
      }
      slots[slot] = handle
      return UInt64(generations[slot]) << 32 | UInt64(slot)
    }
  }

  func find(_ number: UInt64) -> Handle? {
    lock.withLock {
      let slot = Int(number & 0xffff_ffff)
      guard slot < slots.count, UInt64(generations[slot]) == number >> 32 else { return nil }
      return slots[slot]
    }
  }

  /// Takes a handle out.
  func remove(_ number: UInt64) -> Handle? {
    lock.withLock {
      let slot = Int(number & 0xffff_ffff)
      guard slot < slots.count, UInt64(generations[slot]) == number >> 32, let handle = slots[slot] else { return nil }
      slots[slot] = nil
      if generations[slot] < .max {
        generations[slot] += 1
        free.append(slot)
      }
      return handle
    }
  }

  /// Takes all out.
  func removeAll() -> [Handle] {
    lock.withLock {
      var all: [Handle] = []
      for slot in slots.indices {
        guard let handle = slots[slot] else { continue }
        all.append(handle)
        slots[slot] = nil
        if generations[slot] < .max {
          generations[slot] += 1
          free.append(slot)
        }
      }
      return all
    }
  }
}
