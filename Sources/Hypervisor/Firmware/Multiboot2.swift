/// The tags of Multiboot2 2.0, section 3.6.
enum Multiboot2 {
  static let magic: UInt32 = 0x36d7_6289

  private enum Tag {
    static let end: UInt32 = 0
    static let commandLine: UInt32 = 1
    static let module: UInt32 = 3
    static let memoryMap: UInt32 = 6
    static let oldRootPointer: UInt32 = 14
    static let newRootPointer: UInt32 = 15
  }

  static func size(_ information: UInt64, _ memory: some PhysicalMemory) -> UInt32? {
    guard let size = memory.field(UInt32.self, at: information), size >= 16, size <= 1 << 20 else { return nil }
    return size
  }

  /// Each tag: its type, where its contents begin and how many bytes they have.
  private static func forEachTag(
    _ information: UInt64, _ memory: some PhysicalMemory, _ body: (UInt32, UInt64, UInt64) -> Void
  ) {
    guard let total = size(information, memory) else { return }
    let end = information &+ UInt64(total)
    var tag = information &+ 8
    while tag &+ 8 <= end {
      guard let type = memory.field(UInt32.self, at: tag), let size = memory.field(UInt32.self, at: tag &+ 4),
        type != Tag.end, size >= 8, tag &+ UInt64(size) <= end
      else { return }
      body(type, tag &+ 8, UInt64(size) - 8)
      tag = (tag &+ UInt64(size) &+ 7) & ~7
    }
  }

  static func commandLine(_ information: UInt64, _ memory: some PhysicalMemory) -> Text? {
    var line: Text?
    forEachTag(information, memory) { type, address, count in
      guard type == Tag.commandLine, line == nil else { return }
      line = Text(memory, at: address, limit: Int(min(count, UInt64(Text.limit))))
    }
    return line?.count == 0 ? nil : line
  }

  static func forEachRegion(
    _ information: UInt64, _ memory: some PhysicalMemory, _ body: (BootInformation.Region) -> Void
  ) {
    var left = BootInformation.regionLimit
    forEachTag(information, memory) { type, address, count in
      guard type == Tag.memoryMap, let size = memory.field(UInt32.self, at: address), size >= 24 else { return }
      var entry = address + 8
      while entry + UInt64(size) <= address + count, left > 0 {
        guard let start = memory.field(UInt64.self, at: entry), let bytes = memory.field(UInt64.self, at: entry + 8),
          let type = memory.field(UInt32.self, at: entry + 16)
        else { return }
        body(.init(address: start, size: bytes, type: type))
        entry += UInt64(size)
        left -= 1
      }
    }
  }

  static func forEachModule(
    _ information: UInt64, _ memory: some PhysicalMemory, _ body: (BootInformation.Module) -> Void
  ) {
    var left = BootInformation.moduleLimit
    forEachTag(information, memory) { type, address, count in
      guard type == Tag.module, count >= 8, left > 0, let start = memory.field(UInt32.self, at: address),
        let end = memory.field(UInt32.self, at: address + 4), start < end
      else { return }
      left -= 1
      let line = Text(memory, at: address + 8, limit: Int(min(count - 8, UInt64(Text.limit))))
      body(.init(start: UInt64(start), end: UInt64(end), commandLine: line))
    }
  }

  static func rootPointer(_ information: UInt64, _ memory: some PhysicalMemory) -> RootPointer? {
    var found: RootPointer?
    forEachTag(information, memory) { type, address, _ in
      guard type == Tag.oldRootPointer || type == Tag.newRootPointer, let root = RootPointer(memory, at: address)
      else { return }
      if found == nil || found?.extended == nil { found = root }
    }
    return found
  }
}
