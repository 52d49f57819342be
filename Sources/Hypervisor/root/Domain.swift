import CHypercall
import HypercallABI
import UserRuntime

/// A program's protection domain, and what it is given: all of which is had back at its end.
final class Domain {
  private let number: UInt64
  private let section: Section
  private let base: UInt64
  /// Where its program begins.
  private var entry: UInt64 = 0
  /// Physical memory that it has.
  private var memory: [UInt64] = []
  /// What its device may read and write even when it has ended: nobody else's, ever.
  private var kept: UInt64?
  /// Tops of its handlers' stacks, by processor, which are kept: a handler that was ended elsewhere may be about to see so.
  private var stacks: [UInt64] = []
  /// Whether the kernel has refused something.
  private var isShort = false

  /// Who calls, and why: what the id of a portal says.
  struct Call {
    let program: Int
    let reason: UInt64
    static let start: UInt64 = 0
    static let output: UInt64 = 1
    static let end: UInt64 = 2
    static let ready: UInt64 = 3
    /// Plus the exception's number.
    static let fault: UInt64 = 32

    init(_ id: UInt64) {
      program = Int(id & 7)
      reason = id >> 3
    }
  }

  init(_ number: UInt64, _ section: Section) {
    self.number = number
    self.section = section
    base = 0x1000 + number << 10
  }

  // MARK: Selectors

  private var domain: UInt64 { base }
  private var context: UInt64 { base + 1 }
  private var time: UInt64 { base + 3 }
  private var portals: UInt64 { base + 8 }
  private func handler(_ index: Int) -> UInt64 { base + 0x10 + UInt64(index) }
  /// Portals for exceptions on a processor.
  private func faults(_ index: Int) -> UInt64 { base + 0x100 + UInt64(index) * 32 }
  private func interrupt(_ number: UInt64) -> UInt64 { base + 0x200 + number }
  /// The portal of its service for a program.
  func service(_ client: UInt64) -> UInt64 { base + 0x300 + client }
  private static let order: UInt64 = 10

  private func processor(_ index: Int) -> UInt64 { section.processors[index] % UInt64(Information.processors) }

  // MARK: Its start and its end

  /// Starts the program, which uses the services at these selectors; false where something is missing, which was said.
  func start(_ services: [UInt64]) -> Bool {
    isShort = false
    guard let program = Resources.module(named: section.program) else { return missing("module", section.program) }
    var status = Kernel.createDomain(domain, pages: section.quota)
    // What its predecessor had comes back when other processors have left it, for which a second is plenty.
    let end = h_rdtsc() + Information.kilohertz * 1000
    while status == Status.outOfQuota.rawValue, h_rdtsc() < end {
      _ = Kernel.raw(9, 0, flags: 1)
      status = Kernel.createDomain(domain, pages: section.quota)
    }
    guard status == 0 else { return missing("quota for", section.program) }
    guard let entry = load(program) else { return missing("program in", section.program) }
    self.entry = entry
    guard let heap = allocate(section.heap), let page = allocate(4096) else {
      return missing("memory for", section.program)
    }
    give(heap, section.heap, at: Grants.heap, rights: 3)
    let words = Resources.map(page, 4096)
    unsafe h_fill_bytes(UnsafeMutableRawPointer(bitPattern: UInt(words)), 0, 4096)
    Grants.set(.heapSize, section.heap, in: words)
    Grants.set(.seconds, unsafe Resources.seconds, in: words)
    Grants.set(.ticks, unsafe Resources.ticks, in: words)
    if section.memory > 0 {
      let place = section.hasDevice ? deviceMemory() : allocate(section.memory)
      guard let ram = place else { return missing("memory for", section.program) }
      give(ram, section.memory, at: Grants.ram, rights: 7)
      Grants.set(.ramSize, section.memory, in: words)
      if section.hasDevice { Grants.set(.physical, ram, in: words) }
    }
    Grants.set(.processors, UInt64(section.processors.count), in: words)
    for index in section.processors.indices { Grants.setProcessor(index, processor(index), in: words) }
    for (index, name) in section.modules.enumerated() {
      guard let module = Resources.module(named: name) else { return missing("module", name) }
      give(module.address, module.size, at: Grants.modules + module.address, rights: 1)
      Grants.setModule(index, Grants.modules + module.address, module.size, in: words)
    }
    Grants.set(.modules, UInt64(section.modules.count), in: words)
    for (index, byte) in section.text.enumerated() {
      unsafe h_fill_bytes(UnsafeMutableRawPointer(bitPattern: UInt(words + Grants.text) + UInt(index)), byte, 1)
    }
    Grants.set(.textSize, UInt64(section.text.count), in: words)
    give(page, 4096, at: Grants.page, rights: 1)
    guard giveDevices() else { return false }
    for index in section.processors.indices {
      guard handle(index) else { return missing("memory for", section.program) }
    }
    give(services)
    run()
    return !isShort || missing("room in the kernel's memory, or in its quota, for", section.program)
  }

  private func missing(_ what: StaticString, _ name: [UInt8]) -> Bool {
    Console.write("root: there is no ")
    Console.write(what)
    Console.put(32)
    Console.write(name)
    Console.put(10)
    return false
  }

  /// Takes everything back: its objects with all that it made, then its memory, which others find empty.
  func end() {
    // Its first thread, which is the root task's and not the domain's, before what that runs on. None of these can fail.
    _ = Kernel.revoke(CapabilityRange(.objects, base: context, order: 0))
    _ = Kernel.revoke(CapabilityRange(.objects, base: domain, order: 0))
    _ = Kernel.revoke(CapabilityRange(.objects, base: base, order: Self.order))
    for address in memory { Resources.free(address) }
    memory.removeAll()
  }

  private func check(_ status: UInt64) {
    if status != 0 { isShort = true }
  }

  /// Where its first thread begins.
  func begin(_ block: MessageBlock) {
    block[MessageBlock.State.rip] = entry
    block[MessageBlock.State.rsp] = Root.information
    block[MessageBlock.State.descriptor] = 0xc
  }

  // MARK: What it is given

  private func allocate(_ size: UInt64) -> UInt64? {
    guard let address = Resources.allocate(size) else { return nil }
    _ = Resources.map(address, size)
    memory.append(address)
    return address
  }

  private func deviceMemory() -> UInt64? {
    if kept == nil { kept = Resources.allocate(section.memory) }
    if let kept { _ = Resources.map(kept, section.memory) }
    return kept
  }

  private func giveDevices() -> Bool {
    for range in section.ports {
      Resources.pieces(range.first, range.first + range.count) { port, order in
        let ports = CapabilityRange(.ports, base: port, order: order)
        check(Kernel.delegate(ports, to: ports, of: domain, hotspot: port, Resources.block))
      }
    }
    for range in section.physical {
      guard Resources.isDevice(range.first, range.size) else {
        Console.line("root: there is no memory of devices from", range.first)
        return false
      }
      give(range.first, range.size, at: Grants.physical + range.first, rights: 3)
    }
    for number in section.interrupts {
      // The kernel's semaphores are where the root task would have them.
      let semaphore = CapabilityRange(.objects, base: Root.interrupts + number, order: 0, rights: 3)
      let own = CapabilityRange(.objects, base: interrupt(number), order: 0, rights: 3)
      check(Kernel.delegate(semaphore, to: own, bits: 1 << 11, Resources.block))
      guard Kernel.lookup(own).kind != .none else {
        Console.line("root: there is no interrupt", number)
        return false
      }
      check(give(object: interrupt(number), at: semaphore.base, rights: 3))
    }
    return true
  }

  /// Portals of services that it uses, unless it has them.
  func give(_ services: [UInt64]) {
    for (index, portal) in services.enumerated() {
      check(give(object: portal, at: Grants.service(index), rights: Right.call | Right.crossProcessors))
    }
  }

  /// Gives it physical memory that the root task maps for that.
  private func give(_ address: UInt64, _ size: UInt64, at place: UInt64, rights: UInt64) {
    let start = Resources.map(address, size) >> 12
    let distance = place >> 12 &- start
    Resources.pieces(start, start + (size + 4095) >> 12, distance: distance) { page, order in
      let source = CapabilityRange(.memory, base: page, order: order, rights: rights)
      let target = CapabilityRange(.memory, base: page &+ distance, order: order, rights: rights)
      check(Kernel.delegate(source, to: target, of: domain, hotspot: page, Resources.block))
    }
  }

  private func give(object: UInt64, at place: UInt64, order: UInt64 = 0, rights: UInt64) -> UInt64 {
    Kernel.delegate(
      CapabilityRange(.objects, base: object, order: order, rights: rights),
      to: CapabilityRange(.objects, base: place, order: order),
      of: domain, Resources.block)
  }

  /// The program's segments: those that are not written from the module, the others copied. Returns the entry; nil where the file
  /// is no program, or there is no memory.
  private func load(_ program: Information.Memory) -> UInt64? {
    let file = Resources.map(program.address, program.size)
    guard program.size > 4096, h_load(file) & 0xffff_ffff == 0x464c_457f else { return nil }
    let (table, count) = (h_load(file + 32), h_load(file + 56) & 0xffff)
    guard table <= program.size, count * 56 <= program.size - table else { return nil }
    for index in 0..<count {
      let header = file + table + index * 56
      guard h_load(header) & 0xffff_ffff == 1 else { continue }
      let (flags, offset) = (h_load(header) >> 32, h_load(header + 8))
      let (address, size) = (h_load(header + 16), h_load(header + 32))
      guard offset <= program.size, size <= program.size - offset, address < Root.userEnd else { return nil }
      let start = offset & ~0xfff
      let length = (offset - start + size + 4095) & ~4095
      if flags & 2 == 0 {
        give(program.address + start, length, at: address & ~0xfff, rights: 5)
      } else {
        var order: UInt64 = 12
        while 1 << order < length { order += 1 }
        guard let copy = allocate(1 << order) else { return nil }
        let place = Resources.map(copy, length)
        unsafe h_copy_bytes(
          UnsafeMutableRawPointer(bitPattern: UInt(place)), UnsafeRawPointer(bitPattern: UInt(file + start)), length)
        give(copy, length, at: address & ~0xfff, rights: 3)
      }
    }
    return h_load(file + 24)
  }

  // MARK: Its portals to the root task

  /// A handler on one of its processors: told of exceptions there; the first also of where it begins, its output, its end. False
  /// where there is no memory.
  private func handle(_ index: Int) -> Bool {
    let message = 0x6000_0000 + (number << 3 + UInt64(index)) << 12
    if stacks.count == index {
      guard let stack = Resources.allocate(16384) else { return false }
      stacks.append(Resources.map(stack, 16384) + 16384 - 16)
    }
    h_store(stacks[index], message)
    check(
      Kernel.createContext(handler(index), block: message, processor: processor(index), stack: stacks[index]))
    for exception in UInt64(0)..<30 {
      let portal = faults(index) + exception
      check(create(portal, index, [.instructionPointer, .qualification], Call.fault + exception))
    }
    check(give(object: faults(index), at: Grants.events(index), order: 5, rights: Right.call))
    guard index == 0 else { return true }
    // Its first thread's, too.
    check(give(object: faults(0), at: 0, order: 5, rights: Right.call))
    // Where the portals of its service come to, and nothing else that it gives.
    MessageBlock(address: message)?.delegateWindow = CapabilityRange(.objects, base: service(0), order: 3)
    let reasons = [Call.start, Call.output, Call.end, Call.ready] as InlineArray<4, UInt64>
    let places = [Event.startup, Grants.output, Grants.end, Grants.ready] as InlineArray<4, UInt64>
    for index in 0..<4 {
      let portal = portals + UInt64(index)
      check(create(portal, 0, [.stackPointer, .instructionPointer], reasons[index]))
      // Its threads may be on several processors.
      check(give(object: portal, at: places[index], rights: Right.call | Right.crossProcessors))
    }
    return true
  }

  private func create(
    _ portal: UInt64, _ index: Int, _ descriptor: MessageDescriptor, _ reason: UInt64
  ) -> UInt64 {
    Kernel.createPortal(portal, for: handler(index), descriptor: descriptor.rawValue, id: reason << 3 | number)
  }

  private func run() {
    check(give(object: domain, at: Root.protectionDomain, rights: Right.all))
    let page = CapabilityRange(.memory, base: Root.information >> 12, order: 0, rights: 1)
    check(Kernel.delegate(page, to: page, of: domain, hotspot: page.base, Resources.block))
    check(
      Kernel.createContext(
        context, in: domain, block: Root.messageBlock, processor: processor(0), stack: Root.information,
        isGlobal: true))
    check(Kernel.createScheduling(time, for: context, priority: 1))
  }
}
