import CHypercall
import HypercallABI
import UserRuntime

/// A program's protection domain, and what it is given.
struct Domain {
  let number: UInt64
  let section: Section
  private let base: UInt64
  private static let events: UInt64 = 0

  init(_ number: UInt64, _ section: Section) {
    self.number = number
    self.section = section
    base = 0x1000 + number * 0x100
  }

  private var domain: UInt64 { base }
  private var context: UInt64 { base + 1 }
  private var time: UInt64 { base + 3 }
  private var handler: UInt64 { base + 4 }
  private var portals: UInt64 { base + 8 }

  private func processor(_ index: Int) -> UInt64 {
    index < section.processors.count ? section.processors[index] % UInt64(Information.processors) : 0
  }

  /// Starts the program; false where something is missing, which was said.
  func start() -> Bool {
    guard let program = Resources.module(named: section.program) else { return missing("module", section.program) }
    guard Kernel.createDomain(domain, pages: section.quota) == 0 else { return missing("quota", []) }
    guard let entry = load(program) else { return missing("program", section.program) }
    guard let heap = Resources.allocate(section.heap), let page = Resources.allocate(4096) else {
      return missing("memory", [])
    }
    give(heap, section.heap, at: Grants.heap, rights: 3)
    let words = Resources.map(page, 4096)
    unsafe h_fill_bytes(UnsafeMutableRawPointer(bitPattern: UInt(words)), 0, 4096)
    Grants.set(.heapSize, section.heap, in: words)
    Grants.set(.seconds, unsafe Resources.seconds, in: words)
    Grants.set(.ticks, unsafe Resources.ticks, in: words)
    if section.memory > 0 {
      guard let ram = Resources.allocate(section.memory) else { return missing("memory", []) }
      give(ram, section.memory, at: Grants.ram, rights: 7)
      Grants.set(.ramSize, section.memory, in: words)
    }
    Grants.set(.processors, UInt64(max(section.processors.count, 1)), in: words)
    for index in 0..<max(section.processors.count, 1) { Grants.setProcessor(index, processor(index), in: words) }
    for (index, name) in section.modules.enumerated() {
      guard let module = Resources.module(named: name) else { return missing("module", name) }
      give(module.address, module.size, at: Grants.modules + module.address, rights: 1)
      Grants.setModule(index, Grants.modules + module.address, module.size, in: words)
    }
    Grants.set(.modules, UInt64(section.modules.count), in: words)
    guard UInt64(section.text.count) <= Grants.textLimit else {
      return missing("room for the text of", section.program)
    }
    for (index, byte) in section.text.enumerated() {
      unsafe h_fill_bytes(UnsafeMutableRawPointer(bitPattern: UInt(words + Grants.text) + UInt(index)), byte, 1)
    }
    Grants.set(.textSize, UInt64(section.text.count), in: words)
    give(page, 4096, at: Grants.page, rights: 1)
    giveDevices()
    return (portal(entry) && run()) || missing("objects for", section.program)
  }

  private func missing(_ what: StaticString, _ name: [UInt8]) -> Bool {
    Console.write("root: there is no ")
    Console.write(what)
    Console.put(32)
    Console.write(name)
    Console.put(10)
    return false
  }

  /// Takes everything back.
  func end() {
    for selector in base..<portals where selector != base + 2 {
      _ = Kernel.revoke(CapabilityRange(.objects, base: selector, order: 0))
    }
    _ = Kernel.revoke(CapabilityRange(.objects, base: portals, order: 3))
  }

  private func giveDevices() {
    for range in section.ports {
      Resources.pieces(range.first, range.first + range.count) { port, order in
        let ports = CapabilityRange(.ports, base: port, order: order)
        _ = Kernel.delegate(ports, to: ports, of: domain, hotspot: port, Resources.block)
      }
    }
    for interrupt in section.interrupts {
      // The kernel's semaphores are where the root task would have them.
      let semaphore = CapabilityRange(.objects, base: 64 + interrupt, order: 0, rights: 3)
      _ = Kernel.delegate(semaphore, to: semaphore, of: domain, hotspot: semaphore.base, bits: 1 << 11, Resources.block)
    }
  }

  /// Gives it physical memory that the root task maps for that.
  private func give(_ address: UInt64, _ size: UInt64, at place: UInt64, rights: UInt64) {
    let start = Resources.map(address, size) >> 12
    let distance = place >> 12 &- start
    Resources.pieces(start, start + (size + 4095) >> 12, distance: distance) { page, order in
      let source = CapabilityRange(.memory, base: page, order: order, rights: rights)
      let target = CapabilityRange(.memory, base: page &+ distance, order: order, rights: rights)
      _ = Kernel.delegate(source, to: target, of: domain, hotspot: page, Resources.block)
    }
  }

  /// The program's segments: those that are not written from the module, the others copied. Returns the entry.
  private func load(_ program: Information.Memory) -> UInt64? {
    let file = Resources.map(program.address, program.size)
    guard program.size > 4096, h_load(file) & 0xffff_ffff == 0x464c_457f else { return nil }
    let table = file + h_load(file + 32)
    for index in 0..<(h_load(file + 56) & 0xffff) {
      let header = table + index * 56
      guard h_load(header) & 0xffff_ffff == 1 else { continue }
      let (flags, offset) = (h_load(header) >> 32, h_load(header + 8))
      let (address, size) = (h_load(header + 16), h_load(header + 32))
      let start = offset & ~0xfff
      let length = (offset - start + size + 4095) & ~4095
      if flags & 2 == 0 {
        give(program.address + start, length, at: address & ~0xfff, rights: 5)
      } else {
        var order: UInt64 = 12
        while 1 << order < length { order += 1 }
        guard let copy = Resources.allocate(1 << order) else { return nil }
        let place = Resources.map(copy, length)
        unsafe h_copy_bytes(
          UnsafeMutableRawPointer(bitPattern: UInt(place)), UnsafeRawPointer(bitPattern: UInt(file + start)), length)
        give(copy, length, at: address & ~0xfff, rights: 3)
      }
    }
    return h_load(file + 24)
  }

  /// Its portals to the root task, one handler for each program: where it begins, its output, its end.
  private func portal(_ entry: UInt64) -> Bool {
    unsafe entries[Int(number)] = entry
    guard let stack = Resources.allocate(16384) else { return false }
    let top = Resources.map(stack, 16384) + 16384 - 16
    let message = 0x6000_0000 + number << 12
    h_store(top, message)
    var status = Kernel.createContext(handler, block: message, processor: processor(0), stack: top)
    let ids = [0x100, 0x200, 0x300] as InlineArray<3, UInt64>
    let places = [Domain.events + Event.startup, Grants.output, Grants.end] as InlineArray<3, UInt64>
    for index in 0..<3 {
      let portal = portals + UInt64(index)
      status |= Kernel.createPortal(portal, for: handler, descriptor: 0xc, id: ids[index] + number)
      // Its threads may be on several processors.
      status |= give(object: portal, at: places[index], rights: Right.call | Right.crossProcessors)
    }
    return status == 0
  }

  private func give(object: UInt64, at place: UInt64, rights: UInt64) -> UInt64 {
    Kernel.delegate(
      CapabilityRange(.objects, base: object, order: 0, rights: rights),
      to: CapabilityRange(.objects, base: place, order: 0),
      of: domain, Resources.block)
  }

  private func run() -> Bool {
    var status = give(object: domain, at: Root.protectionDomain, rights: Right.all)
    let page = CapabilityRange(.memory, base: Root.information >> 12, order: 0, rights: 1)
    status |= Kernel.delegate(page, to: page, of: domain, hotspot: page.base, Resources.block)
    status |= Kernel.createContext(
      context, in: domain, block: Root.messageBlock, processor: processor(0), stack: Root.information,
      events: Domain.events,
      isGlobal: true)
    status |= Kernel.createScheduling(time, for: context, priority: 1)
    return status == 0
  }
}

/// Where each program begins.
nonisolated(unsafe) var entries = InlineArray<8, UInt64>(repeating: 0)
