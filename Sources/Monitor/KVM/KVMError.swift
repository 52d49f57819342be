import Host

/// What the host can refuse.
public enum KVMError: Error, Equatable, Sendable {
  /// The device file could not be opened.
  case open(path: Path, Errno)
  /// KVM speaks another version than 12.
  case version(Int32)
  /// KVM lacks a capability, by its name in the kernel's documentation.
  case missing(capability: String)
  /// A request failed; `request` is its name in the kernel's documentation.
  case request(String, Errno)
  /// A state is of a processor with features that this host's have not, by the leaf of CPUID that tells of them.
  case processor(leaf: UInt32)
  /// A state has a model-specific register that this host's KVM does not, or features in one.
  case foreignMSR(UInt32)
  /// More vCPUs than this host allows.
  case vCPUs(asked: Int, most: Int)
}

/// The outcome of an ioctl, or a `KVMError` that names it.
@discardableResult
func request(_ name: String, _ call: () -> Int32) throws(KVMError) -> Int32 {
  do throws(Errno) {
    return try checked(call())
  } catch {
    throw .request(name, error)
  }
}
