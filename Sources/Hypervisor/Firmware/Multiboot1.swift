/// The information structure of Multiboot 0.6.96, section 3.3.
enum Multiboot1 {
  static let magic: UInt32 = 0x2bad_b002

  private enum Flag {
    static let commandLine: UInt32 = 1 << 2
    static let modules: UInt32 = 1 << 3
    static let memoryMap: UInt32 = 1 << 6
  }

  /// Empty where there is none; nil where the structure cannot be read.
  static func commandLine(_ information: UInt64, _ memory: some PhysicalMemory) -> Text? {
    guard let flags = memory.field(UInt32.self, at: information) else { return nil }
    guard flags & Flag.commandLine != 0, let address = memory.field(UInt32.self, at: information &+ 16) else {
      return Text(address: 0, count: 0)
    }
    return Text(memory, at: UInt64(address)) ?? Text(address: 0, count: 0)
  }

  static func forEachRegion(
    _ information: UInt64, _ memory: some PhysicalMemory, _ body: (BootInformation.Region) -> Void
  ) {
    guard let flags = memory.field(UInt32.self, at: information), flags & Flag.memoryMap != 0,
      let length = memory.field(UInt32.self, at: information &+ 44),
      let start = memory.field(UInt32.self, at: information &+ 48)
    else { return }
    var entry = UInt64(start)
    let end = entry + UInt64(length)
    for _ in 0..<BootInformation.regionLimit {
      // An entry's size does not count the field that holds it.
      guard entry + 24 <= end, let size = memory.field(UInt32.self, at: entry), size >= 20,
        let address = memory.field(UInt64.self, at: entry + 4), let bytes = memory.field(UInt64.self, at: entry + 12),
        let type = memory.field(UInt32.self, at: entry + 20)
      else { return }
      body(.init(address: address, size: bytes, type: type))
      entry += UInt64(size) + 4
    }
  }

  static func forEachModule(
    _ information: UInt64, _ memory: some PhysicalMemory, _ body: (BootInformation.Module) -> Void
  ) {
    guard let flags = memory.field(UInt32.self, at: information), flags & Flag.modules != 0,
      let count = memory.field(UInt32.self, at: information &+ 20),
      let list = memory.field(UInt32.self, at: information &+ 24)
    else { return }
    for index in 0..<UInt64(min(Int(count), BootInformation.moduleLimit)) {
      let entry = UInt64(list) + index * 16
      guard let start = memory.field(UInt32.self, at: entry), let end = memory.field(UInt32.self, at: entry + 4),
        let line = memory.field(UInt32.self, at: entry + 8)
      else { return }
      guard start < end else { continue }
      let text = line == 0 ? nil : Text(memory, at: UInt64(line))
      body(.init(start: UInt64(start), end: UInt64(end), commandLine: text))
    }
  }
}
