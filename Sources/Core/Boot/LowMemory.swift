/// Where boot data lies in the first MiB. The kernel copies or drops all of it before it uses this memory itself.
package enum LowMemory {
  /// Where memory of the guest's own ends: 640 KiB.
  package static let end: UInt64 = 0xa_0000
  package static let firstMiB: UInt64 = 0x10_0000

  package static let gdt: UInt64 = 0x1000
  package static let taskState: UInt64 = 0x1800
  /// PVH's start info, module list and memory map.
  package static let startInfo: UInt64 = 0x2000
  /// The boot parameters ("zero page").
  package static let bootParameters: UInt64 = 0x7000
  /// Up to seven pages.
  package static let pageTables: UInt64 = 0x9000
  /// `setup_data`: the seed of the kernel's random numbers.
  package static let setupData: UInt64 = 0x1_0000
  package static let commandLine: UInt64 = 0x2_0000
  package static let maximumCommandLine = 0x1_0000

  package static let acpiTables: Range<UInt64> = 0xe_0000..<0xf_e000
  /// In place of the upper ACPI tables where there are none: kernels look from here on.
  package static let mpTable: UInt64 = 0xf_0000
  /// The machine's generation ID, on a page of its own.
  package static let generation: UInt64 = 0xf_e000
  /// The page with the reset vector, where a PC has its BIOS.
  package static let bios: Range<UInt64> = 0xf_f000..<firstMiB
  /// Neither RAM nor tables, whatever the guest does with those.
  static let reserved: Range<UInt64> = generation..<bios.upperBound
  package static let resetVector: UInt64 = 0xf_fff0
}
