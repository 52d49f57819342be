/// The option `logmem`: lines in a page that the information page tells of, and that wraps.
enum MemoryLog {
  static let size = 4096
  /// Physical; 0 until a frame is there.
  nonisolated(unsafe) static var frame: UInt64 = 0
  nonisolated(unsafe) private static var next = 0

  static func put(_ byte: UInt8) {
    guard unsafe frame != 0 else { return }
    unsafe Physical.pointer(frame, UInt8.self)[next] = byte
    unsafe next = (next &+ 1) % size
  }
}
