import Devices
import GuestMemory
import PCI

/// Memory that the host bridge passes on to the bus. Where nothing answers, reads give ones.
final class PCIMemoryWindow: BusDevice {
  private let bus: PCIBus
  private let base: GuestAddress

  init(_ bus: PCIBus, base: GuestAddress) {
    self.bus = bus
    self.base = base
  }

  func read(offset: UInt64, width: Int) -> UInt64 {
    guard let (function, region, offset) = bus.region(at: base + offset, width: width) else { return .max }
    return function.read(region: region, at: offset, width: width)
  }

  func write(_ value: UInt64, offset: UInt64, width: Int) {
    guard let (function, region, offset) = bus.region(at: base + offset, width: width) else { return }
    function.write(value, region: region, at: offset, width: width)
  }
}
