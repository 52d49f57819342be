import Boot
import GuestMemory
import Host

/// The host memory behind a machine's RAM.
struct GuestRAM {
  let memory: GuestMemory
  private let map: MemoryMap
  private let mappings: [MemoryMapping]

  init(_ map: MemoryMap) throws(MachineError) {
    self.map = map
    var mappings: [MemoryMapping] = []
    var regions: [GuestMemory.Region] = []
    for range in map.ram {
      let mapping: MemoryMapping
      do {
        mapping = try MemoryMapping(anonymous: range.count, prefersHugePages: true)
      } catch {
        throw .memory(bytes: map.size, error)
      }
      mappings.append(mapping)
      // `mappings` keeps the memory for as long as this value, which the machine holds to its end.
      regions.append(unsafe GuestMemory.Region(base: range.lowerBound, bytes: mapping.bytes))
    }
    self.mappings = mappings
    memory = GuestMemory(regions: regions)
  }

  /// Puts a private view of a file over RAM, so that machines of one kernel share its pages until they write to them.
  ///
  /// - Parameters:
  ///   - address: page-aligned, in RAM for all of `count` bytes.
  func overlay(
    _ file: borrowing FileDescriptor, at address: GuestAddress, count: Int, fileOffset: Int
  ) throws(Errno) {
    for (range, mapping) in zip(map.ram, mappings) where range.contains(address) {
      return try mapping.overlay(
        file, at: Int(address - range.lowerBound), count: count, fileOffset: fileOffset)
    }
  }
}
