/// What a boot loader says, by either protocol.
package struct BootInformation: Equatable {
  package enum Loader: Equatable { case multiboot1, multiboot2 }

  /// A range of the memory map, of a type as firmware's e820 numbers them: 1 is free memory.
  package struct Region: Equatable {
    package var address: UInt64
    package var size: UInt64
    package var type: UInt32

    package init(address: UInt64, size: UInt64, type: UInt32) {
      self.address = address
      self.size = size
      self.type = type
    }

    /// The first address behind it; no range wraps.
    package var end: UInt64 { address &+ size < address ? .max : address &+ size }
  }

  /// A file that the loader put into memory.
  package struct Module: Equatable {
    package var start: UInt64
    package var end: UInt64
    package var commandLine: Text?
  }

  package let loader: Loader
  package let address: UInt64
  package let commandLine: Text?

  /// How many bounds each walk: a loader that says more is not believed.
  package static let regionLimit = 128
  package static let moduleLimit = 64

  /// Whether `magic`, which the loader left in EAX, is one of the two.
  package init?(magic: UInt32, at address: UInt64, _ memory: some PhysicalMemory) {
    self.address = address
    switch magic {
    case Multiboot1.magic:
      guard let line = Multiboot1.commandLine(address, memory) else { return nil }
      loader = .multiboot1
      commandLine = line.count == 0 ? nil : line
    case Multiboot2.magic:
      guard Multiboot2.size(address, memory) != nil else { return nil }
      loader = .multiboot2
      commandLine = Multiboot2.commandLine(address, memory)
    default: return nil
    }
  }

  package func forEachRegion(_ memory: some PhysicalMemory, _ body: (Region) -> Void) {
    switch loader {
    case .multiboot1: Multiboot1.forEachRegion(address, memory, body)
    case .multiboot2: Multiboot2.forEachRegion(address, memory, body)
    }
  }

  /// Modules that are empty or end before they start are left out.
  package func forEachModule(_ memory: some PhysicalMemory, _ body: (Module) -> Void) {
    switch loader {
    case .multiboot1: Multiboot1.forEachModule(address, memory, body)
    case .multiboot2: Multiboot2.forEachModule(address, memory, body)
    }
  }

  /// The ACPI root pointer, where the loader hands it over.
  package func rootPointer(_ memory: some PhysicalMemory) -> RootPointer? {
    loader == .multiboot2 ? Multiboot2.rootPointer(address, memory) : nil
  }
}
