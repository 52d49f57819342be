import LittleEndian

/// The page of a local APIC's registers, as far as it has any (Intel SDM volume 3, 11.4.1).
struct LocalAPIC: Equatable {
  static let size = 1024

  private(set) var bytes: [UInt8]

  init() { bytes = [UInt8](repeating: 0, count: Self.size) }

  init?(_ bytes: [UInt8]) {
    guard bytes.count == Self.size else { return nil }
    self.bytes = bytes
  }

  private enum Register {
    static let interruptRequests = 0x200
    static let timer = 0x320
    static let initialCount = 0x380
    static let currentCount = 0x390
  }

  /// Has a timer interrupt once more whose count has run out: KVM may have noted that, and not have told the processor yet, and
  /// there is no asking it. One too many is none that a kernel minds; one too few and its processor sleeps for ever.
  ///
  /// Only for timers that count once. A periodic one comes again, and one with a deadline is read before the requests are.
  mutating func requestEndedTimer() {
    let timer: UInt32 = bytes.field(at: Register.timer)
    let (isMasked, mode, vector) = (timer & 1 << 16 != 0, timer >> 17 & 3, Int(timer & 0xff))
    guard !isMasked, mode == 0, vector >= 16, bytes.field(UInt32.self, at: Register.initialCount) != 0,
      bytes.field(UInt32.self, at: Register.currentCount) == 0
    else { return }
    // Words of 32 bits, 16 bytes apart.
    let place = Register.interruptRequests + vector / 32 * 16
    bytes.put(bytes.field(UInt32.self, at: place) | 1 << UInt32(vector % 32), at: place)
  }
}
