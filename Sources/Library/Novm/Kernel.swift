import KernelBundle

/// A kernel that machines can boot.
public struct Kernel: Equatable, Sendable {
  /// What ``Description`` takes as `kernel`.
  public let name: String
  /// What `uname -r` says in the guest.
  public let release: String
  public let directory: String

  init(_ bundle: KernelBundle) {
    name = bundle.name
    release = bundle.release
    directory = bundle.directory
  }
}
