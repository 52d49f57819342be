import Glibc
import Host
import KernelBundle

extension MachineRequest.Kernel {
  /// What to call it where its bundle has a name that tells nobody anything.
  private var name: String? {
    if case .path(let path) = self { path } else { nil }
  }

  /// Finds the bundle, and sees to it that its initramfs holds this novm's `noguest`.
  ///
  /// - Parameters:
  ///   - parts: what the machine needs besides.
  ///   - makes: whether anything is made for it: a bundle of what was built, an initramfs with this noguest, those parts.
  ///     Else the bundle is as it is found, for whoever looks and does not boot.
  package func find(
    in store: KernelStore, noguest: String, parts: [InitramfsPart] = [], makes: Bool = true,
    progress: @escaping (ImportProgress) -> Void = { _ in }
  ) throws(NovmError) -> KernelFiles {
    let bundle: KernelBundle
    var archives: [String] = []
    if case .path(let path) = self, unsafe access(path, R_OK) != 0 { throw .kernelPath(path, .current) }
    do throws(KernelBundleError) {
      switch self {
      case .newest: bundle = try store.newest()
      case .named(let name): bundle = try store.bundle(named: name)
      case .path(let path) where unsafe access("\(path)/bundle.json", F_OK) == 0:
        bundle = try KernelBundle(name: String(path.split(separator: "/").last ?? "kernel"), directory: path)
      case .path(let path) where !makes: bundle = try LocalKernel(path).made(in: store)
      case .path(let path):
        bundle = try LocalKernel(path).bundle(in: store, noguest: noguest, progress: progress)
      }
      if makes { try bundle.refreshInitramfs(noguest: noguest) }
      for part in makes ? parts : [] {
        if let archive = try bundle.archive(part) { archives.append(archive) }
      }
    } catch {
      throw .bundle(error)
    }
    guard bundle.description.support.acpi || !parts.contains(.pci) else { throw .busWithoutACPI(bundle.release) }
    return KernelFiles(
      name: name ?? bundle.name, release: bundle.release, image: bundle.vmlinux, setup: bundle.setup,
      initramfs: bundle.initramfs, furtherInitramfs: archives, modules: bundle.modules,
      findsDevicesByACPI: bundle.description.support.acpi)
  }
}

extension MachineRequest.DebugSource {
  func information(of kernel: KernelFiles, _ request: MachineRequest) throws(NovmError) -> DebugInformation {
    let place: String
    switch (self, request.kernel) {
    case (.path(let path), _): place = path
    case (.ofKernel, .path(let path)): place = LocalKernel.build(of: path) ?? path
    case (.ofKernel, _): place = "/usr/lib/debug"
    }
    guard let real = unsafe realpath(place, nil) else { throw .debugInformation(place, .notThere(.current)) }
    defer { unsafe free(real) }
    do {
      return try DebugInformation(unsafe String(cString: real), release: kernel.release, image: kernel.image)
    } catch {
      throw .debugInformation(place, error)
    }
  }
}
