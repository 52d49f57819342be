import CMachine

/// Where the kernel's lines go: each console that is on.
enum Console {
  nonisolated(unsafe) private static var serial = false
  nonisolated(unsafe) private static var screen = false
  nonisolated(unsafe) private static var log = false
  nonisolated(unsafe) private static var lock: UInt32 = 0

  static func open(serial: Bool, screen: Bool, log: Bool) {
    if serial { SerialLine.open() }
    if screen { Screen.clear() }
    unsafe self.serial = serial
    unsafe self.screen = screen
    unsafe self.log = log
  }

  /// Every console, for what may be the last line.
  static func openAll() {
    let (serial, screen) = unsafe (self.serial, self.screen)
    if !serial { SerialLine.open() }
    if !screen { Screen.clear() }
    unsafe self.serial = true
    unsafe self.screen = true
  }

  /// One line, such as `Console.line("processors: \(count)")`. Its parts go out as they are put together.
  static func line(_ line: Line) {
    put(10)
    unsafe m_store32(&lock, 0)
  }

  static func put(_ byte: UInt8) {
    if unsafe serial {
      if byte == 10 { SerialLine.put(13) }
      SerialLine.put(byte)
    }
    if unsafe screen { Screen.put(byte) }
    if unsafe log { MemoryLog.put(byte) }
  }

  /// A processor that dies in the middle of its line keeps none from saying so: the wait is bounded.
  static func begin() {
    var waits = 0
    while unsafe m_exchange32(&lock, 1) != 0, waits < 1 << 24 {
      m_pause()
      waits &+= 1
    }
  }
}
