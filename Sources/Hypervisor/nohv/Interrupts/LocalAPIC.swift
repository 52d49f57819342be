import CMachine

/// A processor's own interrupt controller, in memory (Intel SDM 3, 11.4).
enum LocalAPIC {
  nonisolated(unsafe) static var address: UInt64 = 0xfee0_0000

  private enum Offset {
    static let id: UInt64 = 0x20
    static let taskPriority: UInt64 = 0x80
    static let end: UInt64 = 0xb0
    static let spurious: UInt64 = 0xf0
    static let command: UInt64 = 0x300
    static let destination: UInt64 = 0x310
    static let timer: UInt64 = 0x320
    static let line0: UInt64 = 0x350
    static let line1: UInt64 = 0x360
    static let error: UInt64 = 0x370
    static let initialCount: UInt64 = 0x380
    static let currentCount: UInt64 = 0x390
    static let divide: UInt64 = 0x3e0
  }

  private static func read(_ offset: UInt64) -> UInt32 { m_read32(unsafe Physical.base &+ address &+ offset) }
  private static func write(_ offset: UInt64, _ value: UInt32) {
    m_write32(unsafe Physical.base &+ address &+ offset, value)
  }

  static var id: UInt32 { read(Offset.id) >> 24 }

  static func enable() {
    m_wrmsr(Register.apicBase, m_rdmsr(Register.apicBase) | 1 << 11)
    write(Offset.taskPriority, 0)
    write(Offset.line0, 1 << 16)
    write(Offset.line1, 4 << 8)
    write(Offset.error, UInt32(Vector.error))
    write(Offset.divide, 0xb)
    write(Offset.timer, UInt32(Vector.timer))
    write(Offset.spurious, 1 << 8 | UInt32(Vector.spurious))
  }

  @inline(__always) static func end() { write(Offset.end, 0) }

  static func send(_ vector: UInt64, to id: UInt32) { command(UInt32(vector) | 1 << 14, to: id) }
  static func sendInit(to id: UInt32) { command(0x4500, to: id) }
  /// Starts a processor at page `page`.
  static func sendStartup(_ page: UInt32, to id: UInt32) { command(0x4600 | page, to: id) }

  private static func command(_ value: UInt32, to id: UInt32) {
    write(Offset.destination, id << 24)
    write(Offset.command, value)
    while read(Offset.command) & 1 << 12 != 0 { m_pause() }
  }

  /// The timer counts down from `count`, once; 0 stops it.
  static func startTimer(_ count: UInt32) { write(Offset.initialCount, count) }
  static var timerCount: UInt32 { read(Offset.currentCount) }
}
