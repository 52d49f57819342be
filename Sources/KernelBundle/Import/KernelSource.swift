/// Where a kernel comes from.
package enum KernelSource: Equatable, Sendable {
  /// The kernel that this system runs: `/boot/vmlinuz-RELEASE` and `/lib/modules/RELEASE`.
  case runningSystem
  /// A bzImage or vmlinux, and the directory of its modules.
  case image(path: String, modules: String?)
  /// Debian package files: one with the kernel, and others with modules where the distribution splits them.
  case packageFiles([String])
  /// A package of the system's distribution, also one that only depends on the kernel's.
  case package(name: String)
}

/// How far an import is.
package enum ImportProgress: Equatable, Sendable {
  case waitingForLock
  case downloading(package: String)
  case unpacking(package: String, files: Int)
  case decompressing(path: String)
  case resolvingModules
  case copyingModules(files: Int)
  case indexingModules(done: Int, total: Int)
}
