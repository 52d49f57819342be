/// What an access to the memory-mapped configuration of bus 0 means (PCI Express 4.0, 7.2.2, table 7-1): 4 KiB for each
/// function, eight functions for each device.
package struct ConfigurationAddress: Equatable {
  /// Bytes for one bus.
  package static let busSize: UInt64 = 1 << 20
  /// How many devices one bus can have.
  package static let deviceLimit = 32

  package let device: Int
  package let function: Int
  package let register: Int

  /// - Parameter offset: from the beginning of the bus; what is beyond is cut off.
  package init(offset: UInt64) {
    device = Int(offset >> 15 & 31)
    function = Int(offset >> 12 & 7)
    register = Int(offset & 0xfff)
  }
}
