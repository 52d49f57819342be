import Host
import Packs

/// What can go wrong between a kernel somewhere and a bundle in the store.
package enum KernelBundleError: Error, Equatable {
  /// A system call on a path failed.
  case system(operation: Operation, path: String, Errno)
  /// What an import was given cannot be read.
  case input(KernelInput, path: String, Errno)
  /// The file is not a kernel or module that a machine could use.
  case image(path: String, ImageFault)
  /// The directory holds no kernel modules.
  case notAModuleTree(path: String)
  /// The modules' release is not the kernel's.
  case releaseMismatch(kernel: String, modules: String, path: String)
  /// Nothing names the kernel's release, which names the bundle.
  case unknownRelease(path: String)
  /// The kernel has a required part neither built in nor as a module.
  case missingSupport(release: String, GuestPart)
  /// The kernel finds devices neither by ACPI nor by its command line.
  case noDiscovery(release: String)
  /// The part is not built into this kernel, so can only be a module, and no modules' directory was given.
  case modulesNeeded(release: String, GuestPart)
  /// A module names a dependency that is nowhere.
  case missingModule(release: String, name: String, neededBy: String)
  /// No kernel of the running system where it should be.
  case noRunningKernel(path: String)
  /// The package file is damaged, or holds no kernel.
  case package(path: String, PackageFault)
  /// No such package, or a package that leads to no kernel image.
  case noSuchPackage(String)
  /// A program that an import needs is not installed.
  case toolMissing(String)
  /// A program that an import needs failed; the last line that it wrote.
  case toolFailed(String, status: Int32, message: String)
  /// A bundle's name that cannot be a directory's.
  case invalidName(String)
  /// The store has no bundle of that name.
  case noSuchBundle(String, store: String)
  /// The store is empty.
  case noBundles(store: String)
  /// The bundle's description does not parse, or is of a format that only a newer novm knows.
  case badDescription(path: String)
  /// A directory in which no kernel was built.
  case noBuild(path: String)
  /// The bundle lacks one of its files, or it is damaged.
  case damagedBundle(path: String)
  /// An archive of a bundle cannot be read or written, or is not what it was promised to be.
  case archive(PackError)
  /// An archive's entry that no bundle has.
  case notOfABundle(archive: [UInt8], path: [UInt8])
  /// What the archive says of its kernel cannot be.
  case badArchiveDescription(archive: [UInt8])
  /// The bundle holds the noguest of another novm, and this user may not change it.
  case cannotRefresh(path: String, Errno)

  package enum Operation: String, Sendable {
    case open, read, write, create, remove, rename, list, lock, copy, run
  }

  /// The error of the system call that failed, if it was one.
  package var errno: Errno? {
    if case .system(_, _, let errno) = self { errno } else { nil }
  }
}

/// What the user names for an import.
package enum KernelInput: Equatable, Sendable {
  case image, modules, package
}

/// What is wrong with a Debian package file.
package enum PackageFault: Equatable, Sendable {
  /// Not an `ar` archive with the members of a Debian package.
  case notAPackage
  /// It ends early, or a checksum or header does not match.
  case damaged(String)
  /// A Debian package without `/boot/vmlinuz-*` or `/usr/lib/modules/*/vmlinuz`, and the packages that it depends on for it.
  case noKernel(others: [String])
}
