import Glibc
import Host

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

  /// Looks whether the files are there to be read, before the store is touched and locked for them.
  package func check() throws(KernelBundleError) {
    switch self {
    case .runningSystem: try Self.check(.image, try KernelFiles.runningSystem().image)
    case .image(let path, let modules):
      try Self.check(.image, path)
      if let modules { try Self.check(.modules, modules) }
    case .packageFiles(let paths): for path in paths { try Self.check(.package, path) }
    case .package: break
    }
  }

  private static func check(_ input: KernelInput, _ path: String) throws(KernelBundleError) {
    guard unsafe access(path, R_OK) == 0 else { throw .input(input, path: path, .current) }
    let isDirectory = Files.kind(path) == .directory
    // One in which a kernel was built.
    if input == .image, isDirectory {
      guard KernelFiles.builtImage(in: path) != nil else { throw .noBuild(path: path) }
      return
    }
    if isDirectory != (input == .modules) { throw .input(input, path: path, Errno(isDirectory ? EISDIR : ENOTDIR)) }
  }
}

/// How far an import is.
package enum ImportProgress: Equatable, Sendable {
  case waitingForLock
  case downloading(package: String)
  case unpacking(package: String, files: Int)
  /// Bytes of an archive.
  case reading(bytes: UInt64)
  case decompressing(path: String)
  case resolvingModules
  case copyingModules(files: Int)
  case indexingModules(done: Int, total: Int)
}
