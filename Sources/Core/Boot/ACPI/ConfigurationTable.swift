import LittleEndian

/// Memory-mapped configuration of a PCI bus, as the MCFG table tells it (PCI Firmware 3.2, 4.1.2).
enum ConfigurationTable {
  /// For bus 0 alone, whose functions lie from `base` on. The range must be among the motherboard's resources, too
  /// (`ACPIDevice.motherboard`), or Linux does not trust the table.
  static func table(base: UInt64) -> [UInt8] {
    var table = ACPITable("MCFG", revision: 1)
    table.body.append(field: UInt64(0))  // reserved
    table.body.append(field: base)
    table.body.append(field: UInt16(0))  // segment group
    table.body.append(contentsOf: [0, 0])  // the first bus and the last
    table.body.append(field: UInt32(0))
    return table.bytes
  }
}
