import CMachine
import Capabilities
import Firmware
import FramePool
import HypercallABI
import Paging

/// The first program: the first module, mapped where it lies.
enum RootTask {
  /// What it has: the only domain that may take of the kernel's.
  nonisolated(unsafe) private(set) static var domain: Reference<ProtectionDomain>?

  private static func reject(_ why: StaticString) -> Never { panic("nohv: the root task's module \(why)") }

  static func start(_ module: BootInformation.Module, _ information: UInt64) {
    // All of the kernel's memory is its to hand out, but a page of each that its domain itself takes.
    let kernel = Domains.kernel
    let reserve: UInt64 = 16
    guard kernel.object.quota.pages - kernel.object.quota.usedPages > reserve,
      let root = Domains.make(
        parent: kernel, pages: kernel.object.quota.pages - kernel.object.quota.usedPages - reserve)
    else { panic("nohv: too little memory for the root task") }
    unsafe domain = root
    let entry = load(module, root)
    map(root, Root.information, information, rights: 1)
    let (made, _) = Contexts.make(root, processor: 0, block: Root.messageBlock, charged: root)
    guard let context = made else { panic("nohv: too little memory for the root task") }
    context.object.isGlobal = true
    context.object.registers.rip = entry
    context.object.registers.rsp = Root.information
    context.object.registers.rdi = 0
    context.object.continuation = .interrupt
    let quantum = Clock.ticks(microseconds: Root.budget)
    guard
      let scheduling = SchedulingContexts.make(root, context, priority: UInt8(Root.priority), quantum: quantum),
      let suspend = Semaphores.make(root, count: 0), let register = Semaphores.make(root, count: 0),
      Creation.plant(.protectionDomain, root, root, Root.protectionDomain) == .success,
      Creation.plant(.executionContext, context, root, Root.executionContext) == .success,
      Creation.plant(.schedulingContext, scheduling, root, Root.schedulingContext) == .success,
      Creation.plant(.semaphore, suspend, root, Root.suspendSemaphore) == .success,
      Creation.plant(.semaphore, register, root, Root.registerSemaphore) == .success
    else { panic("nohv: too little memory for the root task") }
    Scheduler.ready(scheduling)
  }

  /// Maps the segments of a static ELF64 (System V gABI, 4 and 5). Returns the entry.
  private static func load(_ module: BootInformation.Module, _ root: Reference<ProtectionDomain>) -> UInt64 {
    let memory = LowMemory()
    let size = module.end - module.start
    func field<T: FixedWidthInteger & UnsignedInteger>(_: T.Type = T.self, _ offset: UInt64) -> T {
      guard offset <= size, size - offset >= UInt64(T.bitWidth / 8),
        let value = memory.field(T.self, at: module.start + offset)
      else { reject("is cut short") }
      return value
    }
    guard module.start & 0xfff == 0 else { reject("does not begin at a page") }
    guard isELF(module) else { reject("is no ELF file of 64 bits") }
    guard field(UInt16.self, 16) == 2, field(UInt16.self, 18) == 62 else { reject("is no static program for x86-64") }
    let (entry, table) = (field(UInt64.self, 24), field(UInt64.self, 32))
    let (entrySize, count) = (UInt64(field(UInt16.self, 54)), UInt64(field(UInt16.self, 56)))
    guard entrySize >= 56, count <= 64, table <= size, entry < Root.userEnd else { reject("has no program headers") }
    for index in 0..<count {
      let header = table + index * entrySize
      guard field(UInt32.self, header) == 1 else { continue }
      let flags = field(UInt32.self, header + 4)
      let (offset, address) = (field(UInt64.self, header + 8), field(UInt64.self, header + 16))
      let (fileSize, memorySize) = (field(UInt64.self, header + 32), field(UInt64.self, header + 40))
      guard memorySize > 0 else { continue }
      guard offset <= size, fileSize <= size - offset, address < Root.messageBlock, memorySize < Root.messageBlock,
        address + memorySize <= Root.messageBlock
      else { reject("has a segment beyond its end") }
      guard (address ^ offset) & 0xfff == 0 else { reject("has a segment that cannot be mapped in place") }
      let start = (module.start + offset) >> 12
      let end = (module.start + offset + fileSize + 0xfff) >> 12
      guard (address & 0xfff) + memorySize <= (end - start) << 12 else {
        reject("has a segment that is larger than its file")
      }
      // R, W, X: bits 2, 1, 0 there; 0, 1, 2 here.
      let rights = UInt64(flags >> 2 & 1 | flags & 2 | (flags & 1) << 2)
      for page in start..<end { map(root, address & ~0xfff &+ (page - start) << 12, page << 12, rights: rights) }
    }
    return entry
  }

  private static func isELF(_ module: BootInformation.Module) -> Bool {
    LowMemory().field(UInt32.self, at: module.start) == 0x464c_457f
      && LowMemory().field(UInt16.self, at: module.start + 4) == 0x0102
  }

  /// Gives it one page of the kernel's; where a segment has one already, that stays.
  private static func map(_ root: Reference<ProtectionDomain>, _ virtual: UInt64, _ physical: UInt64, rights: UInt64) {
    guard let from = Domains.kernel.space(.memory), let to = root.space(.memory) else { return }
    var tables = Tables()
    do throws(MappingTree.Failure) {
      try MappingTree.delegate(
        from: from, physical >> 12, to: to, virtual >> 12, order: 0, rights: rights, attributes: 0, &tables)
    } catch { panic("nohv: too little memory for the root task") }
    tables.finish()
  }
}
