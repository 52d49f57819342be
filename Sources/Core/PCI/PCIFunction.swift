/// A function as its bus sees it: configuration registers, and regions of memory behind its base addresses.
package protocol PCIFunction: AnyObject {
  /// The driver reads `width` bytes (1 to 4) at `offset` of the configuration.
  func readConfiguration(at offset: Int, width: Int) -> UInt32

  func writeConfiguration(_ value: UInt32, at offset: Int, width: Int)

  /// The driver reads `width` bytes (1 to 8) at `offset` of the region of base address `region`.
  func read(region: Int, at offset: UInt64, width: Int) -> UInt64

  func write(_ value: UInt64, region: Int, at offset: UInt64, width: Int)
}
