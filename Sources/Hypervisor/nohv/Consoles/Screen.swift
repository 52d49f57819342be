import CMachine

/// VGA's text mode: 25 lines of 80 characters at 0xb8000.
enum Screen {
  private static let columns = 80
  private static let rows = 25
  nonisolated(unsafe) private static var column = 0
  nonisolated(unsafe) private static var row = 0

  private static func cell(_ row: Int, _ column: Int) -> UnsafeMutablePointer<UInt16> {
    unsafe Physical.pointer(0xb8000, UInt16.self) + (row &* columns &+ column)
  }

  static func clear() {
    for row in 0..<rows { clear(row) }
    unsafe column = 0
    unsafe row = 0
  }

  private static func clear(_ row: Int) {
    for column in 0..<columns { unsafe cell(row, column).pointee = 0x0720 }
  }

  static func put(_ byte: UInt8) {
    if byte != 10 {
      unsafe cell(row, column).pointee = 0x0700 | UInt16(byte)
      unsafe column &+= 1
    }
    guard unsafe byte == 10 || column == columns else { return }
    unsafe column = 0
    if unsafe row < rows - 1 {
      unsafe row &+= 1
      return
    }
    for row in 1..<rows {
      for column in 0..<columns { unsafe cell(row - 1, column).pointee = cell(row, column).pointee }
    }
    clear(rows - 1)
  }
}
