import LittleEndian
import PCI

/// Where a structure of the device lies, as one of the capabilities in its configuration space tells (Virtio 1.2, 4.1.4).
struct VirtioCapability {
  /// The ID of vendors' capabilities (PCI Local Bus 3.0, appendix H).
  static let id: UInt8 = 0x09

  enum Kind: UInt8 {
    case common = 1
    case notifications = 2
    case interruptStatus = 3
    case device = 4
    case window = 5
    case sharedMemory = 8
  }

  let kind: Kind
  /// The base address of the region.
  let region: Int
  let offset: UInt64
  let length: UInt64
  /// What follows the structure itself.
  var further: [UInt32] = []

  /// What stands behind the capability's ID and link.
  var body: [UInt8] {
    var body: [UInt8] = [UInt8(16 + 4 * further.count), kind.rawValue, UInt8(region), 0, 0, 0]
    for word in [offset.low, length.low] + further { body.append(field: word) }
    return body
  }
}

extension ConfigurationSpace {
  @discardableResult
  mutating func add(_ capability: VirtioCapability, writable: [UInt8] = []) -> Int {
    add(capability: VirtioCapability.id, capability.body, writable: writable)
  }
}

extension FunctionIdentity {
  /// A device that only knows Virtio 1 (Virtio 1.2, 4.1.2).
  static func virtio(_ id: UInt32) -> Self {
    // Appendix D of PCI Local Bus 3.0; with most kinds of devices no class has anything to do.
    let classCode: UInt32 =
      switch id {
      case 1: 0x02_0000  // Ethernet
      case 2, 26: 0x01_8000  // other mass storage: disks, file systems
      case 3, 19: 0x07_8000  // other communication: consoles, vsock
      default: 0xff_0000
      }
    return Self(
      vendor: 0x1af4, device: UInt16(truncatingIfNeeded: 0x1040 + id), revision: 1, classCode: classCode,
      subsystemVendor: 0x1af4, subsystem: UInt16(truncatingIfNeeded: 0x1040 + id))
  }
}
