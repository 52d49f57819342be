/// What lies behind a range of addresses or ports: it reads and writes, and the bus asks nothing else of it.
///
/// Called on the vCPUs' threads, so at any moment and several at once.
package protocol BusDevice: AnyObject {
  /// - Parameters:
  ///   - offset: within the device's range.
  ///   - width: bytes, 1 to 8; the low ones of the result count.
  func read(offset: UInt64, width: Int) -> UInt64

  /// - Parameter value: the low `width` bytes count, the others are zero.
  func write(_ value: UInt64, offset: UInt64, width: Int)
}
