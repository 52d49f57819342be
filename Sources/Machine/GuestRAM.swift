import Boot
import GuestMemory
import Host

/// The host memory behind a machine's RAM.
struct GuestRAM {
  let memory: GuestMemory
  private let mappings: [MemoryMapping]
  /// Where the guest finds pieces of files, if anywhere: behind all RAM.
  let window: (files: FileWindow, addresses: Range<UInt64>)?

  /// - Parameters:
  ///   - windowSize: a multiple of 2 MiB, 0 for no window.
  ///   - alignment: of the window's address, a power of two.
  init(_ map: MemoryMap, windowSize: UInt64 = 0, alignment: UInt64 = 1 << 30) throws(MachineError) {
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
    if windowSize > 0 {
      let files: FileWindow
      do {
        files = try FileWindow(count: Int(windowSize))
      } catch {
        throw .memory(bytes: windowSize, error)
      }
      let base = Platform.windowBase(after: map, alignment: alignment)
      // As for RAM; the value keeps it.
      regions.append(unsafe GuestMemory.Region(base: base, bytes: files.bytes, isWindow: true))
      window = (files, base..<base + windowSize)
    } else {
      window = nil
    }
    memory = GuestMemory(regions: regions)
  }

  func slice(at address: GuestAddress, count: UInt64) throws(MachineError) -> GuestSlice {
    do {
      return try memory.slice(at: address, count: Int(clamping: count))
    } catch {
      throw .boot(.cannotWrite(address: address))
    }
  }
}
