import Boot
import CLinux
import GuestMemory
import Host
import LittleEndian

/// Whether this host's KVM runs 64-bit code at a processor's speed.
///
/// Neither an open /dev/kvm nor a short guest tells: some hosts offer a KVM that interprets every instruction of a guest
/// which was not made for them, a thousand times slower, and a stock kernel gets nowhere there. So a loop is timed.
public enum LoopProbe {
  /// What came of it.
  public enum Verdict: Equatable, Sendable {
    /// The loop ended within the time that a stock kernel's start allows.
    case ok
    /// It ended, too slowly to run machines.
    case slow
    /// It did not end within the limit.
    case hang
    /// The guest stopped otherwise.
    case failed(VCPUExit)
  }

  public static let iterations: UInt32 = 3_000_000

  /// Nanoseconds up to which the verdict is `ok`: hardware takes about 1 ms, a KVM nested in software emulation some tens,
  /// an interpreting one above 1,500.
  static let bearable: UInt64 = 600_000_000

  /// Runs the loop once.
  ///
  /// - Parameter limit: seconds after which it is given up.
  /// - Returns: the verdict and the nanoseconds it took.
  public static func run(_ system: KVMSystem, limit: UInt32 = 5) throws(KVMError) -> (Verdict, nanoseconds: UInt64) {
    let mapping: MemoryMapping
    do throws(Errno) {
      mapping = try MemoryMapping(anonymous: 2 << 20)
    } catch {
      throw .request("mmap", error)
    }
    let memory = GuestMemory(regions: [unsafe .init(base: 0, bytes: mapping.bytes)])
    let machine = try VirtualMachine(system)
    for (slot, region) in memory.regions.enumerated() { try machine.map(region, slot: slot) }
    let code: GuestAddress = 0x10_0000
    do {
      try write(to: memory, code: code)
    } catch {
      preconditionFailure("the probe's own layout is outside its memory: \(error)")
    }
    let vcpu = try VCPU(machine, index: 0, apicID: 0)
    try vcpu.prepare(in: ProcessorTopology(cores: 1))
    try vcpu.enter(.linux64(entry: code))
    return try time(vcpu, limit: limit)
  }

  private static func time(_ vcpu: VCPU, limit: UInt32) throws(KVMError) -> (Verdict, nanoseconds: UInt64) {
    let end = EndPort(vcpu)
    let finished: EventFD
    var exit = VCPUExit.interrupted
    let start = now()
    do throws(Errno) {
      _ = try Signals.capture([])
      finished = try EventFD()
      let thread = try Thread("probe") {
        exit = vcpu.run(end)
        finished.signal()
      }
      if !finished.wait(milliseconds: Int32(limit) * 1000) {
        vcpu.requestExit()
        thread.kick()
      }
      thread.join()
    } catch {
      throw .request("thread", error)
    }
    let took = now() - start
    guard exit == .interrupted else { return (.failed(exit), took) }
    return (end.isReached ? (took <= bearable ? .ok : .slow) : .hang, took)
  }

  /// An identity map of 2 MiB, and the loop: `mov rcx, iterations; 1: dec rcx; jnz 1b; out 0xf0, al`.
  private static func write(to memory: GuestMemory, code: GuestAddress) throws(GuestMemoryError) {
    let tables = LowMemory.pageTables
    let presentWritable: UInt64 = 3
    try memory.store(tables + 0x1000 | presentWritable, at: tables)
    try memory.store(tables + 0x2000 | presentWritable, at: tables + 0x1000)
    try memory.store(presentWritable | 1 << 7, at: tables + 0x2000)
    try memory.write(
      [0x48, 0xc7, 0xc1] + littleEndian(iterations) + [0x48, 0xff, 0xc9, 0x75, 0xfb, 0xe6, 0xf0], at: code)
  }

  private static func now() -> UInt64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }

  /// The port whose write ends the loop.
  private final class EndPort: ExitHandler {
    private let vcpu: VCPU
    private(set) var isReached = false

    init(_ vcpu: VCPU) { self.vcpu = vcpu }

    func writePort(_ port: UInt16, _ value: UInt32, width: Int) {
      isReached = true
      vcpu.requestExit()
    }
    func readPort(_ port: UInt16, width: Int) -> UInt32 { .max }
    func readMemory(_ address: UInt64, width: Int) -> UInt64 { .max }
    func writeMemory(_ address: UInt64, _ value: UInt64, width: Int) {}
  }
}
