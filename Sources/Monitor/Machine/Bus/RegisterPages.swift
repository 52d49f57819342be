import GuestMemory
import Host
import Virtio

/// The windows of virtio devices as memory that the guest can read: an exit for each interrupt less.
struct RegisterPages {
  private let mapping: MemoryMapping

  init() throws(MachineError) {
    let size = Int(MMIOTransport.windowSize) * Int(Platform.lastInterrupt - Platform.firstVirtioInterrupt + 1)
    do {
      mapping = try MemoryMapping(anonymous: size)
    } catch {
      throw .memory(bytes: UInt64(size), error)
    }
  }

  /// The first `count` windows, where the guest finds them. They are part of no queue's memory.
  func memory(count: Int) -> GuestMemory {
    let size = count * Int(MMIOTransport.windowSize)
    // The machine keeps the mapping to its end.
    let bytes = unsafe UnsafeMutableRawBufferPointer(rebasing: mapping.bytes[..<size])
    return GuestMemory(regions: [unsafe GuestMemory.Region(base: Platform.virtioBase, bytes: bytes)])
  }

  func window(_ index: Int) -> ShownRegisters {
    let size = Int(MMIOTransport.windowSize)
    let page = try? memory(count: index + 1).slice(at: Platform.virtioWindow(index), count: size)
    return ShownRegisters(page ?? .empty)
  }
}
