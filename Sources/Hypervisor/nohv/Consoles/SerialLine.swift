import CMachine

/// COM1, a 16550: 115200 baud, 8 bits, no parity.
enum SerialLine {
  private static let port: UInt16 = 0x3f8

  static func open() {
    m_out8(port + 1, 0)
    m_out8(port + 3, 0x80)
    m_out8(port, 1)
    m_out8(port + 1, 0)
    m_out8(port + 3, 3)
    m_out8(port + 2, 7)
    m_out8(port + 4, 3)
  }

  /// A line that never gets ready, as where there is no port, is not waited for.
  static func put(_ byte: UInt8) {
    var waits = 0
    while m_in8(port + 5) & 0x20 == 0, waits < 1 << 16 {
      m_pause()
      waits &+= 1
    }
    m_out8(port, byte)
  }
}
