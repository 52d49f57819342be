import Boot
import CHypercall
import GuestMemory
import HypercallABI
import UserRuntime

// The monitor: a program without privileges, one for each machine, which has one processor. It has a domain, memory, and two
// portals to whoever started it (Grants).

nonisolated(unsafe) private var processor: Processor?

@c(user_main) func userMain(_ number: UInt64, _ information: UInt64) {
  Heap.open(Grants.heap, Grants.word(.heapSize))
  do throws(BootError) {
    try start()
  } catch { fail() }
}

private func bytes(_ address: Grants.Word, _ size: Grants.Word) -> UnsafeBufferPointer<UInt8> {
  unsafe UnsafeBufferPointer(
    start: UnsafePointer(bitPattern: UInt(Grants.word(address))), count: Int(Grants.word(size)))
}

private func start() throws(BootError) {
  let size = Grants.word(.ramSize)
  let ram = unsafe UnsafeMutableRawBufferPointer(
    start: UnsafeMutableRawPointer(bitPattern: UInt(Grants.ram)), count: Int(size))
  let (file, archive) = unsafe (bytes(.kernel, .kernelSize), bytes(.initramfs, .initramfsSize))
  let image = try unsafe KernelImage(Span(_unsafeElements: file))
  let map = try MemoryMap(size: size)
  var options = BootPlan.Options()
  options.commandLine = CommandLine(
    "console=ttyS0 earlyprintk=serial,ttyS0,115200 noapic panic=-1 nokaslr no_timer_check tsc=reliable tsc_early_khz=")
  options.commandLine = options.commandLine.with(number: Information.kilohertz)
  options.acpi = ACPIPlatform(
    apicIDs: [0],
    power: PowerRegisters(
      sleepControl: .port(Processor.powerPort), sleepStatus: .port(Processor.powerPort),
      reset: .port(Processor.powerPort)), devices: [])
  options.initramfsSize = UInt64(archive.count)
  let plan = try BootPlan(image, map, options)
  let memory = unsafe GuestMemory(regions: [GuestMemory.Region(base: 0, bytes: ram)])
  try unsafe plan.loadKernel(Span(_unsafeElements: file), into: memory)
  try unsafe plan.loadInitramfs(Span(_unsafeElements: archive), into: memory)
  try plan.loadBootData(into: memory)
  let new = Processor(plan.entry)
  unsafe processor = new
  guard new.start() else { return fail() }
  while true { _ = Kernel.down(Processor.never) }
}

private func fail() {
  guard let block = MessageBlock(address: Root.messageBlock) else { return }
  Output.end(1, block)
}

@c(user_portal) func userPortal(_ id: UInt64, _ address: UInt64) {
  guard let block = MessageBlock(address: address) else { return }
  if id == Timer.startup {
    block[MessageBlock.State.rip] = h_thread_address()
    block[MessageBlock.State.descriptor] = MessageDescriptor.instructionPointer.rawValue
    block.counts = 0
    return
  }
  unsafe processor?.exit(id & 0xff, block)
}

@c(user_thread) func userThread(_ argument: UInt64) {
  unsafe processor?.timer.run()
}

extension CommandLine {
  /// The same, and a decimal number.
  func with(number: UInt64) -> CommandLine {
    var digits: [UInt8] = []
    var rest = number
    repeat {
      digits.insert(48 + UInt8(rest % 10), at: 0)
      rest /= 10
    } while rest > 0
    return CommandLine(bytes: bytes + digits)
  }
}
