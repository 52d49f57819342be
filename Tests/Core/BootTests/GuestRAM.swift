import Boot
import Foundation
import GuestMemory

/// Guest RAM as a memory map asks for it, for as long as the object lives. Pages that are not touched cost nothing.
final class GuestRAM {
  let memory: GuestMemory
  private let buffers: [UnsafeMutableRawBufferPointer]

  init(_ map: MemoryMap) {
    var regions: [GuestMemory.Region] = []
    buffers = map.ram.map { range in
      let buffer = UnsafeMutableRawBufferPointer(start: calloc(range.count, 1), count: range.count)
      regions.append(GuestMemory.Region(base: range.lowerBound, bytes: buffer))
      return buffer
    }
    memory = GuestMemory(regions: regions)
  }

  deinit { for buffer in buffers { free(buffer.baseAddress) } }
}
