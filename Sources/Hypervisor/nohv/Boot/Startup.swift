import CMachine
import Firmware
import FramePool
import Paging

/// Brings up the other processors (Intel SDM 3, 9.4.4), one after the other.
enum Startup {
  nonisolated(unsafe) private static var arrived: UInt32 = 0
  private static let page: UInt64 = 0x1000

  static func others(_ table: Table) {
    unsafe m_copy_bytes(
      Physical.pointer(page, UInt8.self), UnsafeRawPointer(bitPattern: UInt(Physical.base &+ m_startup_address())),
      m_startup_size())
    let own = LocalAPIC.id
    InterruptControllers.forEach(table, LowMemory()) { entry in
      guard case .processor(let apic, _, true) = entry, apic != own, apic < 255,
        unsafe Processors.count < Processors.limit
      else { return }
      start(apic)
    }
  }

  private static func start(_ apic: UInt32) {
    // Four frames of stack, one for faults, three for the block.
    let frames = Memory.boot(order: 3)
    let block = unsafe UnsafeMutablePointer<m_processor>(bitPattern: UInt(frames + 5 * 4096)).unsafelyUnwrapped
    let number = unsafe UInt32(Processors.count)
    unsafe block.pointee.number = number
    unsafe block.pointee.apic = apic
    unsafe block.pointee.stack = frames + 4 * 4096
    unsafe Processors.add(block)
    m_set_startup(Physical.base, number, frames + 4 * 4096)
    LocalAPIC.sendInit(to: apic)
    Clock.pause(microseconds: 10_000)
    // Twice; one that came after that would take the number of the next, so the second wait is long.
    for turn in 0..<2 {
      LocalAPIC.sendStartup(UInt32(page >> 12), to: apic)
      let end = m_rdtsc() &+ Clock.ticks(microseconds: turn == 0 ? 50_000 : 5_000_000)
      while unsafe m_load32(&arrived) != number, m_rdtsc() < end { m_pause() }
      if unsafe m_load32(&arrived) == number { return }
    }
    Console.line("nohv: processor \(number) (APIC \(apic)) does not start")
    Processors.forgetLast()
  }

  /// What another processor does first.
  static func arrive(_ number: UInt32) -> Never {
    let block = unsafe Processors.at(Int(number))
    m_set_cr3(unsafe KernelTables.table.root)
    unsafe Descriptors.load(block, stack: block.pointee.stack, faults: block.pointee.stack + 4096)
    Features.enable()
    LocalAPIC.enable()
    unsafe Scheduler.open(block)
    VirtualProcessors.open()
    unsafe m_store32(&arrived, number)
    // It is idle until there is something for it.
    Lock.acquire()
    m_start(leaveSlowly())
  }
}
