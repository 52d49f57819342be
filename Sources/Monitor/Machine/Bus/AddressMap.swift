import Devices
import KVM

/// Which device answers at which address and port. Fixed once the machine runs.
final class AddressMap: ExitHandler {
  private struct Entry {
    let range: Range<UInt64>
    let device: any BusDevice
  }

  private var memory: [Entry] = []
  private var ports: [Entry] = []

  /// Puts a device at guest-physical addresses.
  func add(_ device: any BusDevice, atMemory base: UInt64, size: UInt64) {
    memory.append(Entry(range: base..<base + size, device: device))
  }

  /// Puts a device at I/O ports.
  func add(_ device: any BusDevice, atPort base: UInt16, count: UInt16) {
    ports.append(Entry(range: UInt64(base)..<UInt64(base) + UInt64(count), device: device))
  }

  // Where nothing answers, reads give ones and writes are lost, as on a bus.

  func readPort(_ port: UInt16, width: Int) -> UInt32 {
    guard let entry = find(UInt64(port), width, ports) else { return .max }
    return UInt32(truncatingIfNeeded: entry.device.read(offset: UInt64(port) - entry.range.lowerBound, width: width))
  }

  func writePort(_ port: UInt16, _ value: UInt32, width: Int) {
    guard let entry = find(UInt64(port), width, ports) else { return }
    entry.device.write(UInt64(value), offset: UInt64(port) - entry.range.lowerBound, width: width)
  }

  func readMemory(_ address: UInt64, width: Int) -> UInt64 {
    guard let entry = find(address, width, memory) else { return .max }
    return entry.device.read(offset: address - entry.range.lowerBound, width: width)
  }

  func writeMemory(_ address: UInt64, _ value: UInt64, width: Int) {
    guard let entry = find(address, width, memory) else { return }
    entry.device.write(value, offset: address - entry.range.lowerBound, width: width)
  }

  /// The entry that holds all `width` bytes. There are few entries and fewer accesses: queues are served by ioeventfd.
  private func find(_ address: UInt64, _ width: Int, _ entries: [Entry]) -> Entry? {
    for entry in entries
    where entry.range.contains(address) && UInt64(width) <= entry.range.upperBound - address {
      return entry
    }
    return nil
  }
}
