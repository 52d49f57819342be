import Boot
import CHypercall
import GuestMemory
import HypercallABI
import UserRuntime

// The monitor, as a root task: one machine of one processor, with the kernel and initramfs of the second and third module.

nonisolated(unsafe) private var processor: Processor?

@c(user_main) func userMain(_ number: UInt64, _ information: UInt64) {
  let block = MessageBlock(address: Root.messageBlock)!
  let ports = CapabilityRange(.ports, base: 0, order: 16)
  _ = Kernel.delegate(ports, to: ports, bits: 1 << 11, block)
  let resources = Resources(block)
  guard resources.openHeap() else { return fail("too little memory") }
  guard resources.modules.count >= 3 else { return fail("kernel and initramfs are wanted as modules") }
  do throws(BootError) {
    try start(resources)
  } catch { fail("the kernel cannot be loaded") }
}

private func start(_ resources: Resources) throws(BootError) {
  let size: UInt64 = 128 << 20
  guard let ram = unsafe resources.memory(size), let file = unsafe resources.module(1),
    let archive = unsafe resources.module(2)
  else {
    return fail("too little memory for the machine")
  }
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
  let new = Processor(plan.entry, resources)
  unsafe processor = new
  guard unsafe new.start(ram: ram) else { return fail("the processor cannot be made") }
  new.waitForEnd()
}

func fail(_ why: StaticString) {
  Console.write("monitor: ")
  Console.write(why)
  Console.put(10)
  h_out8(0xf4, 2)
  while true { h_pause() }
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
