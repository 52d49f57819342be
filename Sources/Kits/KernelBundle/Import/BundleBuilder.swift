import FoundationEssentials
import Host

/// Makes a bundle's directory from a kernel's files.
struct BundleBuilder {
  /// The new directory, which nobody else sees yet.
  let directory: String
  /// Path of the noguest executable.
  let noguest: String
  let progress: (ImportProgress) -> Void

  func build(_ files: KernelFiles) throws(KernelBundleError) -> BundleDescription {
    let stamp = try Files.stamp(noguest)
    let noguest = try Files.read(noguest)
    progress(.decompressing(path: files.image))
    let (kernel, bzImage) = try kernel(files.image)
    guard let release = bzImage?.release ?? kernel.release else { throw .unknownRelease(path: files.image) }

    progress(.resolvingModules)
    let tree: ModuleTree? =
      if let modules = files.modules { try ModuleTree(ModuleTree.root(of: release, in: modules)) } else { nil }
    let configuration = files.configuration.flatMap(Files.readText).map(KernelConfiguration.init(text:))
    let support = GuestSupport(
      kernel: kernel, configuration: configuration.flatMap { $0.isKernelConfiguration ? $0 : nil }, modules: tree)
    let modules = try modules(for: support, of: release, from: tree)
    guard support.acpi || support.commandLineDevices else { throw .noDiscovery(release: release) }

    try Files.makeDirectories(directory)
    // What is a hole there, novmm need not read (docs/decisions/0016-kernels-are-copied.md).
    try Files.writeSparse(kernel.bytes, to: "\(directory)/vmlinux")
    if let bzImage { try Files.write(bzImage.setupHeader, to: "\(directory)/setup") }
    let initramfs = Initramfs.archive(noguest: noguest, modules: modules.map { ($0.fileName, $0.image) })
    try Files.write(initramfs, to: "\(directory)/initramfs")
    // A kernel without a driver is none for such devices, which shows when one is asked for.
    for part in InitramfsPart.allCases {
      guard let tree, tree.modules[part.driver] != nil,
        let archive = try part.archive(from: tree, release: release, besides: modules.map(\.fileName))
      else { continue }
      try Files.write(archive, to: "\(directory)/\(part.fileName)")
    }
    try Files.write(Array(stamp.utf8), to: "\(directory)/noguest.stamp")
    if let tree { try installModules(tree, moving: files.ownsModules) }

    let description = BundleDescription(
      release: release, version: bzImage?.versionText, buildID: kernel.buildID,
      entries: .init(linux64: .init(kernel.entry), pvh: kernel.pvhEntry.map(PhysicalAddress.init)),
      bootProtocol: bzImage.map { "\($0.protocolVersion >> 8).\($0.protocolVersion & 0xFF)" },
      payload: bzImage?.payloadFormat, support: support, modules: modules.map(\.fileName), origin: files.origin,
      imported: Date(timeIntervalSince1970: Date().timeIntervalSince1970.rounded(.down)),
      size: try Files.treeSize(directory))
    try description.write(to: "\(directory)/bundle.json")
    return description
  }

  private func kernel(_ path: String) throws(KernelBundleError) -> (KernelImage, BzImage?) {
    let bytes = try Files.read(path)
    do throws(ImageFault) {
      if bytes.hasPrefix(ELFImage.magic) {
        return (try KernelImage(KernelLibrary(ELFImage(bytes))?.executable ?? bytes), nil)
      }
      let image = try BzImage(bytes)
      return (try image.kernel(), image)
    } catch { throw .image(path: path, error) }
  }

  /// The modules that this kernel must load, in order; with the first missing thing that a machine cannot do without as
  /// the error.
  private func modules(
    for support: GuestSupport, of release: String, from tree: ModuleTree?
  ) throws(KernelBundleError) -> [(fileName: String, image: [UInt8])] {
    for part in GuestPart.allCases where part.isRequired && support[part] != .builtIn {
      // Without modules and configuration, what is not in the image may still be a module.
      if tree == nil && (support[part] == .module || support.evidence == .strings) {
        throw .modulesNeeded(release: release, part)
      }
      // A stray module makes no tree; it is not the kernel's fault.
      if support[part] == .absent, let tree, !tree.isInstalled { throw .notAModuleTree(path: tree.root) }
      if support[part] == .absent { throw .missingSupport(release: release, part) }
    }
    guard let tree else { return [] }
    var resolver = ModuleResolver(tree, release: release)
    for part in GuestPart.allCases where support[part] == .module {
      try resolver.add(part.module, neededBy: part.rawValue)
    }
    for module in resolver.resolved {
      guard let built = module.info.release, built != release else { continue }
      throw .releaseMismatch(kernel: release, modules: built, path: "\(tree.root)/\(module.module.path)")
    }
    return resolver.resolved.map { ("\($0.module.name).ko", $0.image) }
  }

  /// What `make modules_install` would copy.
  private func copyBuild(_ tree: ModuleTree, to target: String) throws(KernelBundleError) {
    try Files.makeDirectories(target)
    for name in ["modules.builtin", "modules.builtin.modinfo", "modules.order"]
    where Files.exists("\(tree.root)/\(name)") {
      try Files.write(try Files.read("\(tree.root)/\(name)"), to: "\(target)/\(name)")
    }
    var files = 0
    for module in tree.modules.values {
      let path = "\(target)/kernel/\(module.path)"
      try Files.makeDirectories(String(path[..<(path.lastIndex(of: "/") ?? path.endIndex)]))
      try Files.write(try Files.read("\(tree.root)/\(module.path)"), to: path)
      files += 1
      if files % 64 == 0 { progress(.copyingModules(files: files)) }
    }
  }

  private func installModules(_ tree: ModuleTree, moving: Bool) throws(KernelBundleError) {
    let target = "\(directory)/modules"
    if tree.isBuild {
      try copyBuild(tree, to: target)
    } else if moving {
      try Files.rename(tree.root, target)
    } else {
      var files = 0
      try Files.copyTree(tree.root, target) {
        files += 1
        if files % 64 == 0 { progress(.copyingModules(files: files)) }
      }
    }
    if ModuleIndexes.isIndexed(target) { return }
    let installed = try ModuleTree(target)
    let total = installed.modules.count
    try ModuleIndexes(installed) { progress(.indexingModules(done: $0, total: total)) }.write(to: target)
  }
}
