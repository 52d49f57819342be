package import GuestMemory
package import Virtio

/// A driver's view of a transport: what a driver does is the same, by which registers it does it is not.
package protocol TransportDriver {
  var transport: Transport { get }
  /// Interrupts that have reached the driver.
  var interruptCount: Int { get }

  func readStatus() -> UInt32
  func writeStatus(_ value: UInt32)
  func offeredFeatures(_ word: UInt32) -> UInt32
  func takeFeatures(_ word: UInt32, _ value: UInt32)
  func queueSize(_ queue: UInt32) -> UInt32
  func isReady(_ queue: UInt32) -> Bool
  func setUp(queue: UInt32, size: UInt32, layout: SplitQueue.Layout)
  func notify(queue: UInt32)
  func generation() -> UInt32
  func readConfiguration(_ offset: UInt64, width: Int) -> UInt32
  func writeConfiguration(_ value: UInt32, _ offset: UInt64, width: Int)

  /// Bytes of all that a driver can reach, from 0 on; and accesses of any width to any of them.
  var reach: UInt64 { get }
  func read(anywhere offset: UInt64, width: Int) -> UInt64
  func write(_ value: UInt64, anywhere offset: UInt64, width: Int)
}

extension TransportDriver {
  /// Steps 1 to 6 of 3.1.1.
  package func negotiate(_ features: Features = [.version1, .eventIndex]) {
    writeStatus(0)
    writeStatus(1)
    writeStatus(3)
    takeFeatures(0, UInt32(truncatingIfNeeded: features.rawValue))
    takeFeatures(1, UInt32(truncatingIfNeeded: features.rawValue >> 32))
    writeStatus(11)
  }

  package func setUp(queue: UInt32, size: UInt32 = 8, at base: UInt64 = 0x1000) {
    var layout = SplitQueue.Layout()
    layout.descriptorTable = base
    layout.availableRing = base &+ 0x1000
    layout.usedRing = base &+ 0x2000
    setUp(queue: queue, size: size, layout: layout)
  }
}

/// One of the transports that there are.
package enum TransportKind: CaseIterable {
  case mmio
  case pci

  package func driver(_ device: any VirtioDevice, _ memory: GuestMemory, _ owner: any TransportOwner)
    -> any TransportDriver
  {
    switch self {
    case .mmio: MMIODriver(device, memory, owner)
    case .pci: PCIDriver(device, memory, owner)
    }
  }
}
