import CMachine
import Capabilities
import Firmware
import FramePool
import HypercallABI

/// What the kernel has to give away: all physical memory but its own, all ports, interrupts, idle scheduling contexts.
enum Resources {
  static func plant(information: UInt64) {
    let kernel = Domains.kernel
    let limit = unsafe 1 << (min(Features.physicalBits, 48) - 12) as UInt64
    let image = Physical.load >> 12
    let imageEnd = m_load_end_address() >> 12
    let (start, end) = unsafe (Memory.start >> 12, Memory.end >> 12)
    let apic = unsafe LocalAPIC.address >> 12
    // In order; the pool lies above the image.
    memory(0, image)
    memory(imageEnd, start)
    memory(end, apic)
    memory(apic + 1, limit)
    plant(.memory, base: information >> 12, source: information >> 12, order: 0, rights: 1)
    plant(.ports, base: 0, source: 0, order: 16, rights: 1)
    for number in unsafe 0..<Processors.count {
      let idle = SchedulingContexts.idle(UInt32(number))
      _ = Creation.plant(.schedulingContext, idle, kernel, UInt64(number), rights: 1)
    }
    for gsi in 0..<Int(Vector.interrupts) {
      guard let semaphore = Semaphores.make(kernel, count: 0) else { return }
      semaphore.object.interrupt = UInt64(gsi)
      semaphore.object.isPlain = false
      unsafe GlobalInterrupts.semaphores[gsi] = semaphore
      _ = Creation.plant(.semaphore, semaphore, kernel, Root.interrupts + UInt64(gsi))
    }
  }

  private static func memory(_ start: UInt64, _ end: UInt64) {
    var next = start
    while next < end {
      var order = next == 0 ? 31 : UInt64(min(next.trailingZeroBitCount, 31))
      while next + 1 << order > end { order -= 1 }
      plant(.memory, base: next, source: next, order: order, rights: 7)
      next += 1 << order
    }
  }

  private static func plant(_ kind: CapabilityRange.Kind, base: UInt64, source: UInt64, order: UInt64, rights: UInt64) {
    var tables = Tables()
    guard let space = Domains.kernel.space(kind), let mapping = tables.allocate(space) else {
      panic("nohv: too little memory for the kernel")
    }
    mapping.object = Mapping(space: space, base: base, source: source, order: order, rights: rights)
    guard MappingTree.plant(mapping, &tables) else { panic("nohv: resources overlap at \(hex: base)") }
  }
}
