/// Interrupt vectors (the information page's numbers).
enum Vector {
  static let firstInterrupt: UInt64 = 32
  static let interrupts: UInt64 = 192
  static let timer: UInt64 = 224
  static let error: UInt64 = 225
  static let messageSignaled: UInt64 = 230
  static let reschedule: UInt64 = 231
  static let flush: UInt64 = 232
  static let spurious: UInt64 = 255
  static let deviceNotAvailable: UInt64 = 7
  static let generalProtection: UInt64 = 13
  static let pageFault: UInt64 = 14
}
