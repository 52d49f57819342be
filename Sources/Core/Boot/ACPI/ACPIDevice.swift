/// A node of the guest's device tree: its AML, ready to stand in the scope of the system bus. Each kind of device is
/// one of the functions below.
package struct ACPIDevice {
  package let aml: [UInt8]

  package init(_ name: String, _ body: (inout AMLWriter) -> Void) {
    var writer = AMLWriter()
    writer.device(name, body)
    aml = writer.bytes
  }

  private init(aml: [UInt8]) { self.aml = aml }

  /// A virtio device on the MMIO transport, number `index` of at most 256 (Linux's virtio_mmio driver matches
  /// `LNRO0005`).
  package static func virtioMMIO(index: UInt8, base: UInt32, size: UInt32, interrupt: UInt32) -> Self {
    let digits = Array("0123456789ABCDEF".utf8)
    let name = "VR" + String(decoding: [digits[Int(index >> 4)], digits[Int(index & 15)]], as: UTF8.self)
    return Self(name) {
      $0.name("_HID", string: "LNRO0005")
      $0.name("_UID", UInt64(index))
      $0.resources([.memory(base: base, size: size), .interrupt(interrupt)])
    }
  }

  /// A 16550 at the first serial port's place.
  package static let com1 = ACPIDevice.serial(1, port: 0x3f8, interrupt: 4)
  /// And at the second's.
  package static let com2 = ACPIDevice.serial(2, port: 0x2f8, interrupt: 3)

  package static func serial(_ number: UInt8, port: UInt16, interrupt: UInt32) -> Self {
    Self("COM\(number)") {
      $0.name("_HID", eisaID: "PNP0501")
      $0.name("_UID", UInt64(number))
      $0.resources([.ports(base: port, count: 8), .interrupt(interrupt)])
    }
  }

  /// The register to which a panicking guest writes (QEMU, docs/specs/pvpanic.rst): one byte of memory or one port.
  package static func panicRegister(_ register: ACPIResource) -> Self {
    Self("PEVT") {
      $0.name("_HID", string: "QEMU0001")
      $0.name("_UID", 1)
      $0.name("_STA", 0xf)
      $0.resources([register])
    }
  }

  /// The machine's generation ID at a guest-physical address (Microsoft, "Virtual Machine Generation ID"; Linux's vmgenid
  /// driver matches the compatible ID), and the event device that tells by a pulse on `interrupt` that it is another.
  package static func generation(at address: UInt64, interrupt: UInt32) -> Self {
    var writer = AMLWriter()
    writer.device("VGEN") {
      $0.name("_HID", string: "NOVM0001")
      $0.name("_CID", string: "VM_Gen_Counter")
      $0.name("_DDN", string: "VM_Gen_Counter")
      $0.name("ADDR", package: [address & 0xffff_ffff, address >> 32])
    }
    writer.eventDevice(1, interrupt: interrupt, for: "VGEN")
    return Self(aml: writer.bytes)
  }

  /// A power button, pressed by a pulse on `interrupt`: the button and the generic event device that reports it
  /// (ACPI 6.5, 4.8.2.2.1.2 and 5.6.9).
  package static func powerButton(interrupt: UInt32) -> Self {
    var writer = AMLWriter()
    writer.device("PWRB") { $0.name("_HID", eisaID: "PNP0C0C") }
    writer.eventDevice(0, interrupt: interrupt, for: "PWRB")
    return Self(aml: writer.bytes)
  }

  /// A PCI Express host bridge that passes `windows` on to bus 0 (PCI Firmware 3.2, 4.6.1). It routes no interrupt pins
  /// (_PRT): its functions send messages.
  package static func hostBridge(windows: [ACPIResource]) -> Self {
    Self("PCI0") {
      $0.name("_HID", eisaID: "PNP0A08")
      $0.name("_CID", eisaID: "PNP0A03")
      $0.name("_UID", 0)
      $0.name("_BBN", 0)
      $0.resources([.bus] + windows)
    }
  }

  /// What is in use and belongs to no other device: there the firmware says that memory-mapped configuration is (PCI
  /// Firmware 3.2, 4.1.2).
  package static func motherboard(_ resources: [ACPIResource]) -> Self {
    Self("MBRD") {
      $0.name("_HID", eisaID: "PNP0C02")
      $0.name("_UID", 0)
      $0.resources(resources)
    }
  }
}

extension AMLWriter {
  /// A generic event device, number `number` of at most 10: a pulse on `interrupt` notifies `device` by 0x80.
  fileprivate mutating func eventDevice(_ number: UInt8, interrupt: UInt32, for device: String) {
    self.device("GED\(number)") {
      $0.name("_HID", string: "ACPI0013")
      $0.name("_UID", UInt64(number))
      $0.resources([.interrupt(interrupt)])
      $0.method("_EVT", arguments: 1) { $0.notify(device, 0x80, ifArgumentIs: UInt64(interrupt)) }
    }
  }
}
