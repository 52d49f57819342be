import GuestMemory
import PCI
import Virtio

/// A guest that accesses the configuration and the registers of a function in any order, width and place, while its device
/// serves queues and interrupts: no trap, no region outside the bridge's windows, no message while they are masked or off.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzPCI(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  let input = [UInt8](UnsafeBufferPointer(start: data, count: size))
  let guest = Guest(clearedMemory())
  defer { guest.forget() }
  // One access each: what and how wide, where (2), a value (4).
  var rest = input[...]
  while rest.count >= 7 {
    let bytes = Array(rest.prefix(7))
    rest = rest.dropFirst(7)
    guest.step(
      bytes[0], UInt64(bytes[1]) | UInt64(bytes[2]) << 8,
      UInt32(bytes[3]) | UInt32(bytes[4]) << 8 | UInt32(bytes[5]) << 16 | UInt32(bytes[6]) << 24)
  }
  return 0
}

private final class Guest: TransportOwner, MessageSink {
  private static let windows: [Range<UInt64>] = [0xe000_0000..<0xf000_0000, 0x1_0000_0000..<0x1_4000_0000]
  private static let control = 0x42

  private let memory: GuestMemory
  private let device = Echo()
  private var pci: PCITransport!
  private var decoder = MemoryDecoder(windows: windows)
  private var isLive = false
  private var depth = 0

  init(_ memory: GuestMemory) {
    self.memory = memory
    pci = PCITransport(device, memory: memory, address: 0xe000_0000, sink: self, owner: self)
    precondition(pci.readConfiguration(at: Self.control - 2, width: 1) == 0x11, "the messages' capability is elsewhere")
  }

  /// The function keeps its owner, which keeps it.
  func forget() { pci = nil }

  func step(_ what: UInt8, _ place: UInt64, _ value: UInt32) {
    let width = 1 << Int(what >> 6)
    switch what & 7 {
    case 0: _ = pci.readConfiguration(at: Int(place), width: min(width, 4))
    case 1: writeConfiguration(value, at: Int(place), width: min(width, 4))
    // The few registers that there are, more often than by chance.
    case 2: writeConfiguration(value, at: Int(place & 0xff), width: min(width, 4))
    case 3: _ = pci.read(region: Int(place >> 14), at: place & 0x3fff, width: width)
    case 4:
      pci.write(UInt64(value) << (UInt64(value & 3) * 8), region: Int(place >> 14), at: place & 0x3fff, width: width)
    case 5: pci.write(UInt64(value), region: 0, at: place & 0x3f, width: width)
    case 6:
      try? memory.store(value, at: place)
      if what & 8 != 0 { pci.queues[Int(place & 1)].notifyDriver() }
    default:
      switch what >> 3 & 3 {
      case 0: pci.configurationChanged()
      case 1: pci.needsReset()
      case 2: resetByHand()
      default: startByHand(UInt64(value & 0x1f000))
      }
    }
    check()
  }

  func send(_ message: InterruptMessage) {
    let control = pci.readConfiguration(at: Self.control, width: 2)
    precondition(control & 0xc000 == 0x8000, "a message while they are masked or off")
  }

  func withDevice(_ body: () -> Void) { body() }
  func started() { isLive = true }
  func stopped() { isLive = false }

  func notified(queue: UInt32) {
    guard isLive, Int(queue) < pci.queues.count, depth == 0 else { return }
    depth += 1
    defer { depth -= 1 }
    do throws(QueueFault) {
      try device.process(pci.queues[Int(queue)])
    } catch {
      isLive = false
      pci.needsReset()
    }
  }

  private func writeConfiguration(_ value: UInt32, at offset: Int, width: Int) {
    pci.writeConfiguration(value, at: offset, width: width)
    for region in [PCITransport.registers, pci.sharedMemory!] {
      guard let address = decoder.move(region, of: 1, to: pci.address(of: region)) else { continue }
      precondition(address % region.size == 0, "a region between its multiples")
      precondition(
        Self.windows.contains { $0.contains(address) && $0.contains(address + region.size - 1) },
        "a region outside the windows")
    }
  }

  private func check() {
    precondition(pci.readConfiguration(at: 0, width: 4) == 0x106a_1af4, "another function")
    precondition(pci.read(region: 0, at: 18, width: 2) == 2, "another number of queues")
  }

  private func resetByHand() {
    pci.write(0, region: 0, at: 20, width: 1)
    precondition(pci.read(region: 0, at: 20, width: 1) == 0, "a reset that is none")
    precondition(!isLive && pci.queues.allSatisfy { !$0.isLive }, "a reset that leaves queues")
  }

  /// All that takes a device to where its queues are served, since chance seldom does.
  private func startByHand(_ base: UInt64) {
    resetByHand()
    for (value, place, width) in [
      (11 & 3, 20, 1), (1, 8, 4), (1, 12, 4), (0, 8, 4), (3 << 28, 12, 4), (11, 20, 1), (0, 22, 2), (1, 26, 2),
    ] as [(UInt64, UInt64, Int)] {
      pci.write(value, region: 0, at: place, width: width)
    }
    for (value, place) in [(base, 32), (base + 0x100, 40), (base + 0x200, 48)] as [(UInt64, UInt64)] {
      pci.write(value, region: 0, at: place, width: 8)
    }
    pci.write(1, region: 0, at: 28, width: 2)
    pci.write(15, region: 0, at: 20, width: 1)
  }
}

/// Gives back what it gets.
private final class Echo: VirtioDevice {
  let id: UInt32 = 42
  let queueSizes: [UInt16] = [8, 16]
  let requestLimit = RequestLimit(descriptors: 64, bytes: 1 << 20)
  let configuration: [UInt8] = [1, 2, 3, 4, 5, 6, 7]
  private var chain = DescriptorChain()

  func sharedMemory(_ number: UInt32) -> Range<UInt64>? { number == 0 ? 0x1_0000_0000..<0x1_3000_0000 : nil }

  func process(_ queue: VirtQueue) throws(QueueFault) {
    try queue.drain(&chain) { min($0.writableCount, 1 << 20) }
  }
}
