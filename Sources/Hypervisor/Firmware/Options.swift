/// The kernel's command line: whole words.
package struct Options: OptionSet, Equatable {
  package let rawValue: UInt16
  package init(rawValue: UInt16) { self.rawValue = rawValue }

  /// Lines of the kernel on COM1.
  package static let serial = Self(rawValue: 1 << 0)
  /// Lines of the kernel on the screen of VGA's text mode.
  package static let vga = Self(rawValue: 1 << 1)
  package static let keyb = Self(rawValue: 1 << 2)
  package static let spinner = Self(rawValue: 1 << 3)
  /// Lines of the kernel in memory, which the information page tells of.
  package static let logmem = Self(rawValue: 1 << 4)
  package static let vtlb = Self(rawValue: 1 << 5)
  package static let nopcid = Self(rawValue: 1 << 6)
  package static let novpid = Self(rawValue: 1 << 7)
  package static let iommuIntel = Self(rawValue: 1 << 8)
  package static let iommuAMD = Self(rawValue: 1 << 9)

  /// The option of one word.
  package init?(_ word: Text, _ memory: some PhysicalMemory) {
    for index in 0..<10 where word.equals(Self.name(index), memory) {
      self.init(rawValue: 1 << UInt16(index))
      return
    }
    return nil
  }

  /// The word of option number `index`.
  package static func name(_ index: Int) -> StaticString {
    switch index {
    case 0: "serial"
    case 1: "vga"
    case 2: "keyb"
    case 3: "spinner"
    case 4: "logmem"
    case 5: "vtlb"
    case 6: "nopcid"
    case 7: "novpid"
    case 8: "iommu_intel"
    default: "iommu_amd"
    }
  }
}
