/// How the guest reaches its virtio devices, as novmm's `--transport` takes it.
package enum DeviceTransport: String, Codable, CaseIterable, Sendable {
  /// Each by registers and an interrupt of its own.
  case mmio
  /// As functions of a PCI bus.
  case pci
}
