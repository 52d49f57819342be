import Devices
import PCI

/// The configuration of the bus's functions, mapped into memory. Where there is no function, reads give ones.
final class PCIConfigurationWindow: BusDevice {
  private let bus: PCIBus

  init(_ bus: PCIBus) { self.bus = bus }

  func read(offset: UInt64, width: Int) -> UInt64 {
    if width > 4 { return read(offset: offset, width: 4) | read(offset: offset + 4, width: width - 4) << 32 }
    let address = ConfigurationAddress(offset: offset)
    guard let function = bus.function(at: address) else { return .max }
    return UInt64(function.readConfiguration(at: address.register, width: width))
  }

  func write(_ value: UInt64, offset: UInt64, width: Int) {
    if width > 4 {
      write(value & 0xffff_ffff, offset: offset, width: 4)
      return write(value >> 32, offset: offset + 4, width: width - 4)
    }
    let address = ConfigurationAddress(offset: offset)
    bus.function(at: address)?.writeConfiguration(
      UInt32(truncatingIfNeeded: value), at: address.register, width: width)
  }
}
