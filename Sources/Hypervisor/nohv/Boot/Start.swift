import CMachine
import Capabilities
import Firmware
import FramePool
import HypercallABI

/// The order in which the kernel comes up.
func start(_ boot: BootInformation) -> Never {
  let options = CommandLine.options(boot)
  Console.open(
    serial: options.contains(.serial), screen: options.contains(.vga), log: options.contains(.logmem))
  Console.line("nohv: ABI 10, by \(boot.loader == .multiboot1 ? "multiboot 1" : "multiboot 2")")
  CommandLine.report(boot)

  Features.find()
  let layout = Layout(boot)
  let first = unsafe m_first()
  Descriptors.fill()
  unsafe Descriptors.load(first, stack: m_first_stack(), faults: m_first_fault_stack())
  Memory.open(layout.poolStart, layout.poolEnd)
  KernelTables.build(end: layout.memoryEnd)
  Features.enable()
  if options.contains(.logmem) { unsafe MemoryLog.frame = Memory.boot() &- Physical.base }
  Console.line(
    "nohv: memory \(layout.memoryEnd >> 20) MiB, of which the kernel's \((layout.poolEnd - layout.poolStart) >> 20) MiB"
  )

  let root = boot.rootPointer(LowMemory()) ?? RootPointer.search(LowMemory())
  let controllers = root?.find("APIC", LowMemory())
  if let controllers {
    unsafe LocalAPIC.address = UInt64(InterruptControllers.localAddress(controllers, LowMemory()))
    InputAPIC.find(controllers)
  } else {
    Console.line("nohv: no table of interrupt controllers: one processor, no interrupts of devices")
  }
  InputAPIC.silenceLegacy()
  LocalAPIC.enable()
  Clock.measure(root?.find("FACP", LowMemory()).flatMap { FixedDescription($0, LowMemory()) })

  unsafe first.pointee.apic = LocalAPIC.id
  unsafe Processors.add(first)
  // The pages for processors are taken before what is left becomes quota.
  Domains.openKernel()
  unsafe Scheduler.open(first)
  VirtualProcessors.open()
  unsafe Lock.isShared = 1
  if let controllers { Startup.others(controllers) }
  unsafe Lock.isShared = Processors.count > 1 ? 1 : 0
  Console.line("nohv: \(unsafe Processors.count) processors of \(unsafe Clock.kilohertz / 1000) MHz")

  guard let module = layout.root else {
    panic("nohv: no root task: the first module is what the kernel starts")
  }
  var information = Information()
  Domains.closeKernel()
  Resources.plant(information: information.frame)
  information.fill(boot, root)
  RootTask.start(module, information.frame)
  Lock.acquire()
  unsafe first.pointee.hazard = Hazard.reschedule
  m_start(leaveSlowly())
}

/// Where memory is, and which part of it the kernel takes.
struct Layout {
  private(set) var memoryEnd: UInt64 = 0
  private(set) var poolStart: UInt64 = 0
  private(set) var poolEnd: UInt64 = 0
  private(set) var root: BootInformation.Module?

  /// The pool: a 32nd of memory, from 8 MiB to 64 MiB.
  init(_ boot: BootInformation) {
    var total: UInt64 = 0
    boot.forEachRegion(LowMemory()) { region in
      guard region.type == 1, region.end <= 1 << 46 else { return }
      memoryEnd = max(memoryEnd, region.end)
      total += region.size
    }
    boot.forEachModule(LowMemory()) { if root == nil { root = $0 } }
    overlaps(boot)
    let image = m_load_end_address()
    let size = min(max(total / 32, 8 << 20), 64 << 20) & ~0x1f_ffff
    // As high as it goes below 4 GiB, in free memory, clear of the image and of modules.
    boot.forEachRegion(LowMemory()) { region in
      guard region.type == 1, region.address < 1 << 32 else { return }
      let low = max(region.address, image)
      var end = min(region.end, 1 << 32) & ~0x1f_ffff
      while end >= low + size {
        guard let module = module(boot, end - size, end) else {
          if end > poolEnd { (poolStart, poolEnd) = (end - size, end) }
          return
        }
        end = module.start & ~0x1f_ffff
      }
    }
    guard poolEnd > 0 else { panic("nohv: too little memory: \(size >> 20) MiB in a row are wanted") }
  }

  /// The lowest module between two addresses.
  private func module(_ boot: BootInformation, _ start: UInt64, _ end: UInt64) -> BootInformation.Module? {
    var lowest: BootInformation.Module?
    boot.forEachModule(LowMemory()) { module in
      guard module.start < end, module.end > start, module.start < lowest?.start ?? .max else { return }
      lowest = module
    }
    return lowest
  }

  private func overlaps(_ boot: BootInformation) {
    let image = m_load_end_address()
    boot.forEachModule(LowMemory()) { module in
      if module.start < image, module.end > Physical.load { panic("nohv: a module overlaps the kernel") }
      var others = 0
      boot.forEachModule(LowMemory()) { other in
        if other.start < module.end, module.start < other.end { others += 1 }
      }
      if others > 1 { panic("nohv: modules overlap at \(hex: module.start)") }
    }
  }
}
