/// The machine as its ACPI tables describe it.
package struct ACPIPlatform {
  /// The local APIC's ID of each processor, the first processor's first.
  package var apicIDs: [UInt32]
  package var localAPICAddress: UInt32 = 0xfee0_0000
  package var ioAPICAddress: UInt32 = 0xfec0_0000
  package var ioAPICID: UInt8 = 0
  package var power: PowerRegisters
  package var devices: [ACPIDevice]
  /// Where the configuration of PCI bus 0 is mapped, if there is one.
  package var busConfiguration: UInt64?
  /// Which of processors and memory are near to each other, if there are NUMA nodes.
  package var affinity: Affinity?

  package init(apicIDs: [UInt32], power: PowerRegisters, devices: [ACPIDevice]) {
    self.apicIDs = apicIDs
    self.power = power
    self.devices = devices
  }
}
