import GuestMemory
import KVM
import PCI
import Virtio

/// A virtio device on the bus, as vCPUs access it. It follows where the guest puts its regions: notifications are
/// taken there, and shared memory appears there.
final class VirtioFunction: PCIFunction {
  private let transport: PCITransport
  private let slot: VirtioSlot
  private let bus: PCIBus
  private let vm: VirtualMachine
  private let registers = Region(PCITransport.registers)
  private let window: (region: Region, memory: SharedMemory)?

  /// Memory that device and driver share.
  struct SharedMemory {
    let memory: GuestMemory.Region
    /// KVM's number of it.
    let slot: Int
  }

  /// A region, and where it is. Both belong to the slot's lock.
  private final class Region {
    let base: BaseAddress
    /// What the guest has asked for.
    var wanted: GuestAddress?
    /// Where it answers.
    var current: GuestAddress?

    init(_ base: BaseAddress) { self.base = base }
  }

  /// - Parameters:
  ///   - slot: serves the transport's queues.
  ///   - window: what lies behind the transport's shared memory, if it has any.
  init(_ transport: PCITransport, _ slot: VirtioSlot, on bus: PCIBus, vm: VirtualMachine, window: SharedMemory?) {
    self.transport = transport
    self.slot = slot
    self.bus = bus
    self.vm = vm
    if let window, let base = transport.sharedMemory {
      self.window = (Region(base), window)
    } else {
      self.window = nil
    }
  }

  func readConfiguration(at offset: Int, width: Int) -> UInt32 {
    slot.lock.withLock { transport.readConfiguration(at: offset, width: width) }
  }

  func writeConfiguration(_ value: UInt32, at offset: Int, width: Int) {
    slot.lock.withLock {
      transport.writeConfiguration(value, at: offset, width: width)
      followAll()
    }
  }

  /// The transport is what another one was, with its regions where that one's were.
  func restored() { slot.lock.withLock { followAll() } }

  private func followAll() {
    // What KVM refuses, such as two regions at one place, comes to us instead, and finds the one that was first.
    follow(registers) { from, to in
      for (index, worker) in slot.workers.enumerated() {
        let offset = PCITransport.notifyOffset(queue: index)
        if let from { try? vm.disconnect(writesAt: from + offset, from: worker.event) }
        if let to { try? vm.connect(writesAt: to + offset, to: worker.event) }
      }
    }
    guard let (region, shared) = window else { return }
    follow(region) { from, to in
      if from != nil { try? vm.unmap(slot: shared.slot) }
      if let to { try? vm.map(shared.memory, slot: shared.slot, at: to) }
    }
  }

  func read(region: Int, at offset: UInt64, width: Int) -> UInt64 {
    slot.lock.withLock { transport.read(region: region, at: offset, width: width) }
  }

  func write(_ value: UInt64, region: Int, at offset: UInt64, width: Int) {
    slot.lock.withLock { transport.write(value, region: region, at: offset, width: width) }
  }

  /// Calls `moved` if the guest has put a region elsewhere.
  private func follow(_ region: Region, _ moved: (_ from: GuestAddress?, _ to: GuestAddress?) -> Void) {
    let wanted = transport.address(of: region.base)
    guard wanted != region.wanted else { return }
    region.wanted = wanted
    let from = region.current
    region.current = bus.move(region.base, of: self, to: wanted)
    if region.current != from { moved(from, region.current) }
  }
}
