import Glibc
import Host
import KernelBundle

extension MachineRequest.Kernel {
  /// Finds the bundle, and sees to it that its initramfs holds this novm's `noguest`.
  ///
  /// - Parameter parts: what the machine needs besides.
  package func find(
    in store: KernelStore, noguest: String, parts: [InitramfsPart] = []
  ) throws(NovmError) -> KernelFiles {
    let bundle: KernelBundle
    var archives: [String] = []
    if case .directory(let path) = self {
      guard let mode = Self.mode(path) else { throw .kernelPath(path, .current) }
      if mode & S_IFMT != S_IFDIR { throw .kernelIsFile(path) }
    }
    do throws(KernelBundleError) {
      switch self {
      case .newest: bundle = try store.newest()
      case .named(let name): bundle = try store.bundle(named: name)
      case .directory(let path):
        bundle = try KernelBundle(name: String(path.split(separator: "/").last ?? "kernel"), directory: path)
      }
      try bundle.refreshInitramfs(noguest: noguest)
      for part in parts {
        if let archive = try bundle.archive(part) { archives.append(archive) }
      }
    } catch {
      if case .directory(let path) = self, case .system(.read, "\(path)/bundle.json", Errno(ENOENT)) = error {
        throw .notABundle(path)
      }
      throw .bundle(error)
    }
    guard bundle.description.support.acpi || !parts.contains(.pci) else { throw .busWithoutACPI(bundle.release) }
    return KernelFiles(
      name: bundle.name, release: bundle.release, image: bundle.vmlinux, setup: bundle.setup,
      initramfs: bundle.initramfs, furtherInitramfs: archives, modules: bundle.modules,
      findsDevicesByACPI: bundle.description.support.acpi)
  }

  private static func mode(_ path: String) -> mode_t? {
    var status = stat()
    return unsafe stat(path, &status) == 0 ? status.st_mode : nil
  }
}
