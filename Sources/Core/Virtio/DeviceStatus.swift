/// The device status field (Virtio 1.2, 2.1).
package struct DeviceStatus: OptionSet, Equatable, Sendable {
  package let rawValue: UInt32

  package init(rawValue: UInt32) { self.rawValue = rawValue }

  package static let acknowledge = DeviceStatus(rawValue: 1)
  package static let driver = DeviceStatus(rawValue: 2)
  package static let driverOK = DeviceStatus(rawValue: 4)
  package static let featuresOK = DeviceStatus(rawValue: 8)
  package static let needsReset = DeviceStatus(rawValue: 64)
  package static let failed = DeviceStatus(rawValue: 128)
}
