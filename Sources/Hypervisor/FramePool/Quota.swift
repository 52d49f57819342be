/// What a protection domain may use of the kernel's memory.
package struct Quota: Equatable {
  /// Bytes that were given to it.
  package private(set) var limit: UInt64
  package private(set) var used: UInt64 = 0

  package init(pages: UInt64) { limit = pages &* 4096 }

  package var pages: UInt64 { limit / 4096 }
  package var usedPages: UInt64 { (used &+ 4095) / 4096 }

  /// Whether there was enough.
  package mutating func charge(_ bytes: UInt64) -> Bool {
    guard bytes <= limit &- used else { return false }
    used &+= bytes
    return true
  }

  package mutating func refund(_ bytes: UInt64) { used &-= min(bytes, used) }

  /// Gives `pages` to another domain; nothing where there are not as many left.
  package mutating func transfer(pages: UInt64, to other: inout Quota) -> Bool {
    guard pages < 1 << 40, pages &* 4096 <= limit &- used else { return false }
    limit &-= pages &* 4096
    other.limit &+= pages &* 4096
    return true
  }

  /// Everything that is left, for whoever gave it; what is still used stays behind with it.
  package mutating func close(into other: inout Quota) {
    let rest = limit &- min(used, limit)
    other.limit &+= rest
    limit &-= rest
  }
}
