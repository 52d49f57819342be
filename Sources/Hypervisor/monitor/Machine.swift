import AgentProtocol
import Boot
import CHypercall
import Chipset
import Devices
import GuestMemory
import HypercallABI
import TreeArchive
import UserRuntime
import Virtio

/// The machine around its processors: memory, devices, interrupts. One processor at a time is in here.
final class Machine {
  let memory: GuestMemory
  let clock: GuestClock
  let output = Output()
  private(set) var processors: [Processor] = []
  private var slots: [VirtioSlot] = []
  private var agent: AgentClient?
  private var inputs = InputInterrupts()
  private var serial = SerialRegisters()
  private let lock = SpinLock()
  /// Of whoever is in here; and which processor that is.
  private var block: MessageBlock
  private(set) var current = -1

  enum Failure: Error {
    case boot(BootError)
    case tree(TreeError)
    case missing
    /// Less than all else takes, and a tree as much again.
    case heap
    /// A line of the section that says nothing to anybody.
    case line([UInt8])
  }

  /// Bytes of heap for all but the tree.
  private static let ownHeap: UInt64 = 4 << 20
  /// Files of a tree that the heap has room for, beside all else.
  private static var treeLimit: Int { Int(Grants.word(.heapSize) - ownHeap) / ArchiveTree.bytesPerNode }

  /// As the program's section of the text says (docs/microhypervisor.md, "A machine").
  init(_ block: MessageBlock) throws(Failure) {
    self.block = block
    guard Grants.word(.heapSize) >= 2 * Self.ownHeap else { throw .heap }
    let size = Grants.word(.ramSize)
    let ram = unsafe UnsafeMutableRawBufferPointer(
      start: UnsafeMutableRawPointer(bitPattern: UInt(Grants.ram)), count: Int(size))
    memory = unsafe GuestMemory(regions: [GuestMemory.Region(base: 0, bytes: ram)])
    clock = GuestClock(
      kilohertz: Information.kilohertz, start: Grants.word(.ticks), seconds: Grants.word(.seconds))
    let description = Description(Grants.section)
    if let line = description.unknown { throw .line(line) }
    guard let kernel = unsafe description.kernel, size > 0 else { throw .missing }
    if let archive = unsafe description.tree {
      do throws(TreeError) {
        // The module is there for as long as the program.
        let tree = try unsafe ArchiveTree(ArchiveBytes(archive), limit: Self.treeLimit)
        add(FileSystemDevice(tag: Array("root".utf8), requestQueues: 1, backend: TreeServer(tree)))
      } catch { throw .tree(error) }
    }
    if !description.arguments.isEmpty {
      let agent = AgentClient(
        description.arguments, clock: { [self] in clock.wallSeconds(at: h_rdtsc()) },
        output: { [self] bytes, isError in
          output.write(bytes, to: isError ? Grants.standardError : Grants.standardOutput, self.block)
        })
      self.agent = agent
      add(agent.device)
    }
    do throws(BootError) { try unsafe boot(description, kernel, size) } catch { throw .boot(error) }
  }

  private func add(_ device: any VirtioDevice) { slots.append(VirtioSlot(device, self, index: slots.count)) }

  private func boot(
    _ description: Description, _ file: UnsafeBufferPointer<UInt8>, _ size: UInt64
  ) throws(BootError) {
    let image = try unsafe KernelImage(Span(_unsafeElements: file))
    let archive = unsafe description.initramfs ?? UnsafeBufferPointer(start: nil, count: 0)
    let count = Int(Grants.word(.processors))
    var options = BootPlan.Options()
    options.commandLine = CommandLine(bytes: description.commandLine)
    options.acpi = Platform.acpi(processors: count, slots: slots)
    options.initramfsSize = UInt64(archive.count)
    let plan = try BootPlan(image, try MemoryMap(size: size), options)
    try unsafe plan.loadKernel(Span(_unsafeElements: file), into: memory)
    try unsafe plan.loadInitramfs(Span(_unsafeElements: archive), into: memory)
    try plan.loadBootData(into: memory)
    for index in 0..<count { processors.append(Processor(self, index, of: count, entry: plan.entry)) }
  }

  /// Gives the guest's domain its memory, and starts the processors. False where the kernel will not.
  func start() -> Bool {
    var status = Kernel.createDomain(Processor.domain, pages: 1000)
    let order = UInt64((Grants.word(.ramSize) >> 12).trailingZeroBitCount)
    status |= Kernel.delegate(
      CapabilityRange(.memory, base: Grants.ram >> 12, order: order, rights: 7),
      to: CapabilityRange(.memory, base: 0, order: order, rights: 7), of: Processor.domain, bits: 1 << 9, block)
    guard status == 0 else { return false }
    for processor in processors where !processor.start(block) { return false }
    return true
  }

  // MARK: One at a time

  func enter(_ block: MessageBlock, _ processor: Int) {
    lock.take()
    self.block = block
    current = processor
  }

  func leave() {
    current = -1
    lock.give()
  }

  /// Whether a device has been asked for more than was done in its turn.
  var hasWork: Bool { slots.contains { $0.hasWork } }

  /// Does what devices have been asked for, one turn for each queue and another for what the command's streams bring about.
  func serve() {
    for slot in slots { slot.serve() }
    guard let agent else { return }
    agent.advance()
    // What that has brought about.
    for slot in slots { slot.serve() }
  }

  func end(_ status: UInt64) -> Never {
    output.flush(block)
    Output.end(status, block)
  }

  // MARK: Interrupts

  func raise(_ input: Int) {
    if let command = inputs.raise(input) { send(command, from: nil) }
  }

  func send(_ command: InterruptCommand, from sender: UInt32?) {
    for processor in processors where command.reaches(processor.interrupts.id, from: sender) {
      processor.take(command)
      if command.mode == .lowestPriority { return }
    }
  }

  // MARK: Accesses

  /// The guest reads memory that is none.
  func read(_ address: UInt64, width: Int) -> UInt64 {
    if let slot = slot(address) {
      return UInt64(slot.transport.read(offset: address - slot.base, width: min(width, 4)))
    }
    if address &- InputInterrupts.address < InputInterrupts.size {
      return UInt64(inputs.read(offset: address - InputInterrupts.address))
    }
    return .max
  }

  func write(_ value: UInt64, _ address: UInt64, width: Int) {
    if let slot = slot(address) {
      slot.transport.write(UInt32(truncatingIfNeeded: value), offset: address - slot.base, width: min(width, 4))
    } else if address &- InputInterrupts.address < InputInterrupts.size,
      let command = inputs.write(UInt32(truncatingIfNeeded: value), offset: address - InputInterrupts.address)
    {
      send(command, from: nil)
    }
  }

  private func slot(_ address: UInt64) -> VirtioSlot? {
    for slot in slots where address &- slot.base < 0x1000 { return slot }
    return nil
  }

  func read(port: UInt16) -> UInt64 { serial.read(port) ?? .max }

  func write(_ value: UInt8, port: UInt16) {
    if port == Platform.powerPort {
      if value == PowerRegisters.sleepValue { end(UInt64(agent.map { $0.status ?? AgentClient.failed } ?? 0)) }
      if value == PowerRegisters.resetValue { end(Grants.failure) }
    } else if let byte = serial.write(port, value) {
      output.console(byte, block)
    }
  }
}
