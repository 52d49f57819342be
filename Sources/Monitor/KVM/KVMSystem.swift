import CKVM
import CLinux
import Host

/// The host's KVM: /dev/kvm (kernel Documentation/virt/kvm/api.rst).
public final class KVMSystem: Sendable {
  let descriptor: FileDescriptor

  /// A capability that machines need.
  struct Capability {
    let name: String
    let number: Int32
  }

  static let needed = [
    Capability(name: "KVM_CAP_IRQCHIP", number: KVM_CAP_IRQCHIP),
    Capability(name: "KVM_CAP_USER_MEMORY", number: KVM_CAP_USER_MEMORY),
    Capability(name: "KVM_CAP_READONLY_MEM", number: KVM_CAP_READONLY_MEM),
    Capability(name: "KVM_CAP_SET_TSS_ADDR", number: KVM_CAP_SET_TSS_ADDR),
    Capability(name: "KVM_CAP_SET_IDENTITY_MAP_ADDR", number: KVM_CAP_SET_IDENTITY_MAP_ADDR),
    Capability(name: "KVM_CAP_EXT_CPUID", number: KVM_CAP_EXT_CPUID),
    Capability(name: "KVM_CAP_IOEVENTFD", number: KVM_CAP_IOEVENTFD),
    Capability(name: "KVM_CAP_IOEVENTFD_ANY_LENGTH", number: KVM_CAP_IOEVENTFD_ANY_LENGTH),
    Capability(name: "KVM_CAP_SIGNAL_MSI", number: KVM_CAP_SIGNAL_MSI),
    Capability(name: "KVM_CAP_MP_STATE", number: KVM_CAP_MP_STATE),
    Capability(name: "KVM_CAP_ADJUST_CLOCK", number: KVM_CAP_ADJUST_CLOCK),
    Capability(name: "KVM_CAP_IMMEDIATE_EXIT", number: KVM_CAP_IMMEDIATE_EXIT),
  ]

  /// - Throws: `open` or `version`. Capabilities are for `missingCapabilities` to tell.
  public init(path: Path = "/dev/kvm") throws(KVMError) {
    do throws(Errno) {
      descriptor = try FileDescriptor.open(path, O_RDWR)
    } catch {
      throw .open(path: path, error)
    }
    try checkVersion()
  }

  /// Takes an open descriptor of /dev/kvm.
  public init(_ descriptor: consuming FileDescriptor) throws(KVMError) {
    self.descriptor = descriptor
    try checkVersion()
  }

  private func checkVersion() throws(KVMError) {
    let version = try request("KVM_GET_API_VERSION") { clinux_ioctl(descriptor.raw, ckvm_get_api_version, 0) }
    guard version == 12 else { throw .version(version) }
  }

  /// Names of the capabilities that a machine needs and this host lacks.
  public func missingCapabilities() -> [String] {
    Self.needed.filter { check(extension: $0.number) <= 0 }.map { $0.name }
  }

  /// The most vCPUs of one machine.
  public var maximumVCPUs: Int {
    let most = check(extension: KVM_CAP_MAX_VCPUS)
    return Int(most > 0 ? most : max(check(extension: KVM_CAP_NR_VCPUS), 4))
  }

  /// Bits of a guest-physical address.
  public func addressBits() throws(KVMError) -> Int { try supportedCPUID().addressBits }

  /// Whether guests may use the local APIC's TSC deadline timer.
  var hasTSCDeadline: Bool { check(extension: KVM_CAP_TSC_DEADLINE_TIMER) > 0 }

  /// KVM_CHECK_EXTENSION: 0 where it is absent.
  func check(extension number: Int32) -> Int32 {
    clinux_ioctl(descriptor.raw, ckvm_check_extension, UInt(number))
  }

  /// What KVM can show guests.
  func supportedCPUID() throws(KVMError) -> CPUID {
    var table = ckvm_cpuid()
    table.nent = UInt32(CKVM_CPUID_CAPACITY)
    try request("KVM_GET_SUPPORTED_CPUID") {
      unsafe clinux_ioctl_pointer(descriptor.raw, ckvm_get_supported_cpuid, &table)
    }
    var entries: [kvm_cpuid_entry2] = []
    for index in 0..<min(table.nent, UInt32(CKVM_CPUID_CAPACITY)) {
      entries.append(unsafe ckvm_cpuid_entry(&table, index).pointee)
    }
    return CPUID(entries)
  }

  /// KVM_GET_MSR_INDEX_LIST, in order.
  func savedMSRs() throws(KVMError) -> [UInt32] {
    var list = ckvm_msr_list()
    list.nmsrs = UInt32(CKVM_MSR_CAPACITY)
    try request("KVM_GET_MSR_INDEX_LIST") {
      unsafe clinux_ioctl_pointer(descriptor.raw, ckvm_get_msr_index_list, &list)
    }
    return (0..<min(list.nmsrs, UInt32(CKVM_MSR_CAPACITY))).map { unsafe ckvm_msr_index(&list, $0) }.sorted()
  }

  /// Bytes of the shared `kvm_run` page(s).
  func runSize() throws(KVMError) -> Int {
    Int(try request("KVM_GET_VCPU_MMAP_SIZE") { clinux_ioctl(descriptor.raw, ckvm_get_vcpu_mmap_size, 0) })
  }
}
