import PCI

/// The way to the registers by configuration accesses, for firmware that cannot map them (Virtio 1.2, 4.1.4.9): software
/// writes where and how much, and each access to the last four bytes is one to the registers.
struct ConfigurationWindow {
  private let capability: Int
  /// Offsets in the capability.
  private static let region = 4
  private static let offset = 8
  private static let length = 12
  private static let data = 16

  init(in space: inout ConfigurationSpace) {
    // Region, place, length and data are software's to write.
    let writable: [UInt8] = [0, 0, 0xff, 0, 0, 0] + [UInt8](repeating: 0xff, count: 12)
    capability = space.add(
      VirtioCapability(kind: .window, region: 0, offset: 0, length: 0, further: [0]), writable: writable)
  }

  /// Whether an access to the configuration touches the data.
  func dataOverlaps(_ offset: Int, _ width: Int) -> Bool {
    let start = capability + Self.data
    return offset < start + 4 && offset > start - min(max(width, 0), 4)
  }

  /// What an access to the data means: so many bytes at this place of the registers. Nil for what no driver may ask for
  /// (4.1.4.9.1).
  func access(in space: ConfigurationSpace) -> (place: UInt64, count: Int)? {
    let count = space.read(at: capability + Self.length, width: 4)
    let place = space.read(at: capability + Self.offset, width: 4)
    guard space.read(at: capability + Self.region, width: 1) == UInt32(PCITransport.registers.index),
      count == 1 || count == 2 || count == 4, place & (count - 1) == 0, UInt64(place) < PCITransport.registers.size
    else { return nil }
    return (UInt64(place), Int(count))
  }

  func data(_ count: Int, in space: ConfigurationSpace) -> UInt32 {
    space.read(at: capability + Self.data, width: count)
  }

  func setData(_ value: UInt32, _ count: Int, in space: inout ConfigurationSpace) {
    space.write(value, at: capability + Self.data, width: count)
  }
}
