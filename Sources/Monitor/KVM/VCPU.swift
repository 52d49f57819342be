import CKVM
import CLinux
import Host
import Synchronization

/// What the guest reaches by port and by address; called on the vCPU's thread, on several at once.
public protocol ExitHandler: AnyObject {
  /// - Parameter width: 1, 2 or 4 bytes.
  func readPort(_ port: UInt16, width: Int) -> UInt32
  func writePort(_ port: UInt16, _ value: UInt32, width: Int)
  /// - Parameter width: 1 to 8 bytes.
  func readMemory(_ address: UInt64, width: Int) -> UInt64
  func writeMemory(_ address: UInt64, _ value: UInt64, width: Int)
}

/// A virtual CPU. One thread at a time runs it.
public final class VCPU: @unchecked Sendable {
  /// Also the APIC ID.
  public let index: Int

  let machine: VirtualMachine
  let descriptor: FileDescriptor
  private let page: MemoryMapping
  /// What it was given.
  private(set) var cpuid = CPUID([])
  private let lock = Lock()
  private var requests: [() -> Void] = []
  private var state: UnsafeMutablePointer<kvm_run> {
    unsafe page.bytes.baseAddress!.assumingMemoryBound(to: kvm_run.self)
  }

  /// - Parameters:
  ///   - index: which of the machine's vCPUs this is.
  ///   - apicID: its id in the machine, and for KVM.
  public init(_ machine: VirtualMachine, index: Int, apicID: UInt32) throws(KVMError) {
    self.machine = machine
    self.index = index
    let number: Int32
    do throws(Errno) {
      number = try checked(clinux_ioctl(machine.descriptor.raw, ckvm_create_vcpu, UInt(apicID)))
    } catch {
      throw .request("KVM_CREATE_VCPU", error)
    }
    descriptor = FileDescriptor(owning: number)
    let size = try machine.system.runSize()
    do throws(Errno) {
      page = try MemoryMapping(descriptor, count: size, isWritable: true)
    } catch {
      throw .request("mmap of kvm_run", error)
    }
  }

  func setCPUID(_ cpuid: CPUID) throws(KVMError) {
    var table = ckvm_cpuid()
    let entries = cpuid.entries.prefix(Int(CKVM_CPUID_CAPACITY))
    table.nent = UInt32(entries.count)
    for (index, entry) in entries.enumerated() { unsafe ckvm_cpuid_entry(&table, UInt32(index)).pointee = entry }
    try request("KVM_SET_CPUID2") { unsafe clinux_ioctl_pointer(descriptor.raw, ckvm_set_cpuid2, &table) }
    self.cpuid = cpuid
  }

  func setMSR(_ index: UInt32, _ value: UInt64) throws(KVMError) {
    var msr = ckvm_msr()
    msr.nmsrs = 1
    msr.entry.index = index
    msr.entry.data = value
    let set = try request("KVM_SET_MSRS") { unsafe clinux_ioctl_pointer(descriptor.raw, ckvm_set_msrs, &msr) }
    // KVM_SET_MSRS returns how many it took.
    if set != 1 { throw .request("KVM_SET_MSRS of \(String(index, radix: 16))", Errno(EINVAL)) }
  }

  var system: KVMSystem { machine.system }

  func getLAPIC(_ state: inout kvm_lapic_state) throws(KVMError) {
    try request("KVM_GET_LAPIC") { unsafe clinux_ioctl_pointer(descriptor.raw, ckvm_get_lapic, &state) }
  }

  func setLAPIC(_ state: inout kvm_lapic_state) throws(KVMError) {
    try request("KVM_SET_LAPIC") { unsafe clinux_ioctl_pointer(descriptor.raw, ckvm_set_lapic, &state) }
  }

  func registers() throws(KVMError) -> kvm_regs {
    var registers = kvm_regs()
    try request("KVM_GET_REGS") { unsafe clinux_ioctl_pointer(descriptor.raw, ckvm_get_regs, &registers) }
    return registers
  }

  func setRegisters(_ registers: kvm_regs) throws(KVMError) {
    var registers = registers
    try request("KVM_SET_REGS") { unsafe clinux_ioctl_pointer(descriptor.raw, ckvm_set_regs, &registers) }
  }

  func specialRegisters() throws(KVMError) -> kvm_sregs {
    var registers = kvm_sregs()
    try request("KVM_GET_SREGS") { unsafe clinux_ioctl_pointer(descriptor.raw, ckvm_get_sregs, &registers) }
    return registers
  }

  func setSpecialRegisters(_ registers: kvm_sregs) throws(KVMError) {
    var registers = registers
    try request("KVM_SET_SREGS") { unsafe clinux_ioctl_pointer(descriptor.raw, ckvm_set_sregs, &registers) }
  }

  /// Makes `run` return soon with `interrupted`: now if it is not running, when the next signal reaches it otherwise.
  public func requestExit() {
    unsafe state.pointee.immediate_exit = 1
  }

  /// Has `body` run on the vCPU's thread when `run` next returns `interrupted` and `resumeRequests` is called.
  public func whenStopped(_ body: @escaping () -> Void) {
    lock.withLock { requests.append(body) }
  }

  /// Serves what `whenStopped` was given, and lets `run` go on. On the vCPU's thread.
  public func resumeRequests() {
    unsafe state.pointee.immediate_exit = 0
    let bodies = lock.withLock {
      defer { requests = [] }
      return requests
    }
    for body in bodies { body() }
  }

  /// KVM_KVMCLOCK_CTRL: tells a guest with kvmclock that its host held it up, so that it takes none of its processors for
  /// stuck. Between two runs, on the vCPU's thread.
  public func noteStop() { _ = clinux_ioctl(descriptor.raw, ckvm_kvmclock_ctrl, 0) }

  /// Runs the guest, serving its port and memory accesses, until something else happens.
  public func run(_ handler: any ExitHandler) -> VCPUExit {
    while true {
      if clinux_ioctl(descriptor.raw, ckvm_run, 0) < 0 {
        let error = Errno.current
        if error == Errno(EINTR) || error == Errno(EAGAIN) {
          if unsafe state.pointee.immediate_exit != 0 { return .interrupted }
          continue
        }
        return .failed(error)
      }
      switch unsafe Int32(state.pointee.exit_reason) {
      case KVM_EXIT_IO: servePort(handler)
      case KVM_EXIT_MMIO: serveMemory(handler)
      case KVM_EXIT_INTR, KVM_EXIT_IRQ_WINDOW_OPEN: continue
      case let reason: return VCPUExit(reason, unsafe state.pointee)
      }
    }
  }

  /// A port access, of `count` units for string instructions; the data lie in the shared page.
  private func servePort(_ handler: any ExitHandler) {
    let access = unsafe state.pointee.io
    let width = Int(access.size)
    let data = unsafe page.bytes
    var offset = Int(access.data_offset)
    for _ in 0..<access.count {
      guard offset >= 0, offset <= data.count - width else { return }
      if access.direction == UInt8(KVM_EXIT_IO_OUT) {
        var value: UInt32 = 0
        for byte in 0..<width { value |= UInt32(unsafe data[offset + byte]) << (8 * UInt32(byte)) }
        handler.writePort(access.port, value, width: width)
      } else {
        let value = handler.readPort(access.port, width: width)
        for byte in 0..<width { unsafe data[offset + byte] = UInt8(truncatingIfNeeded: value >> (8 * UInt32(byte))) }
      }
      offset += width
    }
  }

  private func serveMemory(_ handler: any ExitHandler) {
    let access = unsafe state.pointee.mmio
    let width = Int(min(access.len, 8))
    if access.is_write != 0 {
      let value = unsafe withUnsafeBytes(of: access.data) { unsafe $0.loadUnaligned(as: UInt64.self) }
      let mask: UInt64 = width == 8 ? .max : 1 << (8 * UInt64(width)) - 1
      handler.writeMemory(access.phys_addr, UInt64(littleEndian: value) & mask, width: width)
    } else {
      let value = handler.readMemory(access.phys_addr, width: width).littleEndian
      unsafe withUnsafeMutableBytes(of: &state.pointee.mmio.data) { unsafe $0.storeBytes(of: value, as: UInt64.self) }
    }
  }
}
