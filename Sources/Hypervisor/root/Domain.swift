import CHypercall
import HypercallABI
import UserRuntime

/// A monitor's protection domain, made of the second module, a program; and what it is given.
struct Domain {
  let number: UInt64
  private let base: UInt64
  private static let quota: UInt64 = 3000
  private static let ramSize: UInt64 = 128 << 20
  private static let heapSize: UInt64 = 16 << 20
  private static let events: UInt64 = 0

  init(_ number: UInt64) {
    self.number = number
    base = 0x1000 + number * 0x100
  }

  private var domain: UInt64 { base }
  private var context: UInt64 { base + 1 }
  private var time: UInt64 { base + 3 }
  private var handler: UInt64 { base + 4 }
  private var portals: UInt64 { base + 8 }

  /// Starts the monitor; false where something is missing.
  func start() -> Bool {
    guard let program = Resources.module(1), let kernel = Resources.module(2), let initramfs = Resources.module(3)
    else {
      return false
    }
    guard Kernel.createDomain(domain, pages: Domain.quota) == 0, let entry = load(program),
      let ram = Resources.allocate(Domain.ramSize), let heap = Resources.allocate(Domain.heapSize),
      let page = Resources.allocate(4096)
    else { return false }
    give(ram, Domain.ramSize, at: Grants.ram, rights: 7)
    give(heap, Domain.heapSize, at: Grants.heap, rights: 3)
    give(kernel.address, kernel.size, at: Grants.modules + kernel.address, rights: 1)
    give(initramfs.address, initramfs.size, at: Grants.modules + initramfs.address, rights: 1)
    let words = Resources.map(page, 4096)
    func put(_ word: Grants.Word, _ value: UInt64) { h_store(words + UInt64(word.rawValue) * 8, value) }
    put(.heapSize, Domain.heapSize)
    put(.ramSize, Domain.ramSize)
    put(.kernel, Grants.modules + kernel.address)
    put(.kernelSize, kernel.size)
    put(.initramfs, Grants.modules + initramfs.address)
    put(.initramfsSize, initramfs.size)
    put(.processor, processor)
    give(page, 4096, at: Grants.page, rights: 1)
    return portal(entry) && run()
  }

  /// Takes everything back.
  func end() {
    for selector in base..<portals where selector != base + 2 {
      _ = Kernel.revoke(CapabilityRange(.objects, base: selector, order: 0))
    }
    _ = Kernel.revoke(CapabilityRange(.objects, base: portals, order: 3))
  }

  private var processor: UInt64 { number % UInt64(Information.processors) }

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

  /// Its portals to the root task, one handler for each machine: where it begins, its output, its end.
  private func portal(_ entry: UInt64) -> Bool {
    unsafe entries[Int(number)] = entry
    guard let stack = Resources.allocate(16384) else { return false }
    let top = Resources.map(stack, 16384) + 16384 - 16
    let message = 0x6000_0000 + number << 12
    h_store(top, message)
    var status = Kernel.createContext(handler, block: message, processor: processor, stack: top)
    let ids = [0x100, 0x200, 0x300] as InlineArray<3, UInt64>
    let places = [Domain.events + Event.startup, Grants.output, Grants.end] as InlineArray<3, UInt64>
    for index in 0..<3 {
      let portal = portals + UInt64(index)
      status |= Kernel.createPortal(portal, for: handler, descriptor: 0xc, id: ids[index] + number)
      status |= give(object: portal, at: places[index], rights: Right.call)
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
      context, in: domain, block: Root.messageBlock, processor: processor, stack: Root.information,
      events: Domain.events,
      isGlobal: true)
    status |= Kernel.createScheduling(time, for: context, priority: 1)
    return status == 0
  }
}

/// Where each machine's monitor begins.
nonisolated(unsafe) var entries = InlineArray<8, UInt64>(repeating: 0)
