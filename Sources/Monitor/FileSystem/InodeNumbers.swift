import Host

/// Makes one file system's inode numbers out of those of several devices: 48 bits of the host's number below 16 bits
/// that stand for the device.
///
/// The device's bits come from its number, so that a file keeps its inode number from one run to the next; only when two
/// devices meet does the later one take other bits. Numbers beyond 48 bits are folded.
final class InodeNumbers {
  private let lock = Lock()
  private var tags: [UInt64: UInt64] = [:]
  private var taken: Set<UInt64> = []
  /// The device of the root, whose files keep their numbers as they are.
  private let main: UInt64

  init(main: UInt64) {
    self.main = main
  }

  func number(device: UInt64, inode: UInt64) -> UInt64 {
    let low = inode < 1 << 48 ? inode : (inode ^ (inode >> 48)) & 0xffff_ffff_ffff | 1
    if device == main { return low }
    return tag(device) << 48 | low
  }

  private func tag(_ device: UInt64) -> UInt64 {
    lock.withLock {
      if let tag = tags[device] { return tag }
      var tag = max(1, (device &* 0x9e37_79b9_7f4a_7c15) >> 49)
      while taken.contains(tag), taken.count < 0x7fff { tag = tag % 0x7fff + 1 }
      taken.insert(tag)
      tags[device] = tag
      return tag
    }
  }

  /// Numbers for directories that no layer has: from the top of the range.
  func synthetic(_ ordinal: UInt64) -> UInt64 { 0xffff_0000_0000_0000 | ordinal }
}
