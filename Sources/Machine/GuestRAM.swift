import Boot
import GuestMemory
import Host

/// The host memory behind a machine's RAM.
struct GuestRAM {
  let memory: GuestMemory
  private let mappings: [MemoryMapping]

  init(_ map: MemoryMap) throws(MachineError) {
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

  func slice(at address: GuestAddress, count: UInt64) throws(BootError) -> GuestSlice {
    do {
      return try memory.slice(at: address, count: Int(clamping: count))
    } catch {
      throw .cannotWrite(address: address)
    }
  }
}
