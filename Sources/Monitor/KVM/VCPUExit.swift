import CKVM
import Host

/// Why a vCPU stopped running (kernel Documentation/virt/kvm/api.rst, section 5).
public enum VCPUExit: Equatable, Sendable {
  /// `requestExit` was called.
  case interrupted
  /// A halt that no interrupt can end; an in-kernel interrupt controller reports no other.
  case halted
  /// A triple fault.
  case shutdown
  /// KVM_EXIT_SYSTEM_EVENT, with the kind of event.
  case systemEvent(UInt32)
  /// The processor refused the guest's state; `reason` is the hardware's.
  case entryFailed(reason: UInt64)
  /// KVM gave up, mostly on an instruction that it cannot emulate; `suberror` says which kind.
  case internalError(suberror: UInt32)
  /// An exit for which the machine has no part.
  case unexpected(reason: UInt32)
  /// KVM_RUN itself failed.
  case failed(Errno)

  init(_ reason: Int32, _ state: kvm_run) {
    switch reason {
    case KVM_EXIT_HLT: self = .halted
    case KVM_EXIT_SHUTDOWN: self = .shutdown
    case KVM_EXIT_SYSTEM_EVENT: self = .systemEvent(state.system_event.type)
    case KVM_EXIT_FAIL_ENTRY: self = .entryFailed(reason: state.fail_entry.hardware_entry_failure_reason)
    case KVM_EXIT_INTERNAL_ERROR: self = .internalError(suberror: state.internal.suberror)
    default: self = .unexpected(reason: UInt32(bitPattern: reason))
    }
  }
}
