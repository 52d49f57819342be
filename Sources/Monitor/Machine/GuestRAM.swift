import Boot
import GuestMemory
import Host
import Virtio

/// The host memory behind a machine's RAM.
package struct GuestRAM {
  let memory: GuestMemory
  private let mappings: [MemoryMapping]
  private let isPopulated: Bool
  /// Where the guest finds pieces of files, if anywhere: behind all RAM.
  let window: (files: FileWindow, addresses: Range<UInt64>)?
  /// Files that are memory, behind that.
  let disks: [(disk: MappedDisk, addresses: Range<UInt64>)]

  /// What a machine's description asks for, with the files that it has as memory opened and locked.
  init(_ map: MemoryMap, _ description: MachineDescription) throws(MachineError) {
    var disks: [MappedDisk] = []
    for disk in description.mappedDisks { disks.append(try MappedDisk(disk)) }
    // A region of a PCI bus lies at a multiple of its size, which is a power of two.
    let region = PCITransport.sharedMemorySize(description.window)
    try self.init(
      map, pages: description.pages, isPopulated: description.isPopulated, windowSize: description.window,
      windowSpace: description.transport == .pci ? max(1 << 30, region) : 1 << 30, disks: disks)
  }

  /// - Parameters:
  ///   - isPopulated: whether all of it is there from the start.
  ///   - windowSize: a multiple of 2 MiB, 0 for no window.
  ///   - windowSpace: what the window takes of the address space, at a multiple of which it lies: a power of two.
  init(
    _ map: MemoryMap, pages: MemoryMapping.Pages = .transparentHuge, isPopulated: Bool = false, windowSize: UInt64 = 0,
    windowSpace: UInt64 = 1 << 30, disks: [MappedDisk] = []
  ) throws(MachineError) {
    if pages == .reservedHuge { try Self.checkReservation(map) }
    var mappings: [MemoryMapping] = []
    var regions: [GuestMemory.Region] = []
    for range in map.ram {
      let mapping: MemoryMapping
      do {
        mapping = try MemoryMapping(anonymous: range.count, pages: pages)
        if isPopulated { try mapping.populate() }
      } catch {
        throw .memory(bytes: map.size, error)
      }
      mappings.append(mapping)
      // `mappings` keeps the memory for as long as this value, which the machine holds to its end.
      regions.append(unsafe GuestMemory.Region(base: range.lowerBound, bytes: mapping.bytes))
    }
    self.mappings = mappings
    self.isPopulated = isPopulated
    var next = Platform.end(of: map)
    if windowSize > 0 {
      let files: FileWindow
      do {
        files = try FileWindow(count: Int(windowSize))
      } catch {
        throw .memory(bytes: windowSize, error)
      }
      let base = Platform.place(next, alignment: windowSpace)
      // As for RAM; the value keeps it.
      regions.append(unsafe GuestMemory.Region(base: base, bytes: files.bytes, isWindow: true))
      window = (files, base..<base + windowSize)
      next = base + max(windowSize, windowSpace)
    } else {
      window = nil
    }
    var places: [(disk: MappedDisk, addresses: Range<UInt64>)] = []
    for disk in disks {
      let base = Platform.place(next)
      // As for RAM.
      regions.append(unsafe disk.region(at: base))
      next = base + UInt64(disk.window.count)
      places.append((disk, base..<next))
    }
    self.disks = places
    memory = GuestMemory(regions: regions)
  }

  /// Whether the guest can only read there, whatever it does.
  func isReadOnly(_ region: GuestMemory.Region) -> Bool {
    disks.contains { $0.addresses.lowerBound == region.base && $0.disk.isReadOnly }
  }

  /// Writes RAM as it lies, without what is between its regions, from the beginning of a file on.
  ///
  /// - Returns: bytes.
  func write(to file: Int32) throws(Errno) -> UInt64 {
    var place: UInt64 = 0
    for mapping in mappings {
      try mapping.write(to: file, at: place)
      place += UInt64(mapping.count)
    }
    return place
  }

  /// Puts what was written so in the place of RAM, privately (`MemoryMapping.replace`).
  func replace(by file: Int32) throws(Errno) {
    var place: UInt64 = 0
    for mapping in mappings {
      try mapping.replace(by: file, at: place)
      place += UInt64(mapping.count)
    }
    // What was promised is there before the guest runs, as where it is not restored.
    if isPopulated { for mapping in mappings { try mapping.populate() } }
  }

  /// The number of the window among the regions.
  var windowIndex: Int? {
    guard let window else { return nil }
    return memory.regions.firstIndex { $0.base == window.addresses.lowerBound }
  }

  /// A guest that finds no page where it was promised one would end the monitor, so nothing is begun without them all.
  private static func checkReservation(_ map: MemoryMap) throws(MachineError) {
    let page = MemoryMapping.hugePage
    guard map.ram.allSatisfy({ $0.count % page == 0 }) else { throw .oddMemory(bytes: map.size) }
    let available = HostMemory.reservablePages
    guard map.size <= UInt64(available * page) else {
      throw .tooFewHugePages(needed: Int(map.size) / page, available: available)
    }
  }

  func slice(at address: GuestAddress, count: UInt64) throws(MachineError) -> GuestSlice {
    do {
      return try memory.slice(at: address, count: Int(clamping: count))
    } catch {
      throw .boot(.cannotWrite(address: address))
    }
  }
}
