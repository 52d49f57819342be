import Host

/// A part of an initramfs that comes with a device: its driver, and what that depends on. Machines without the device
/// neither read nor unpack it (docs/decisions/0019-drivers-of-cards-in-a-second-archive.md).
package enum InitramfsPart: String, CaseIterable, Sendable {
  /// Virtio devices as functions of a PCI bus.
  case pci
  case network
  case balloon
  case disk
  /// The file system of a root disk.
  case ext4
  /// Persistent memory.
  case pmem

  /// Beside the initramfs.
  package var fileName: String { "initramfs.\(rawValue)" }

  package var driver: String {
    switch self {
    case .pci: "virtio_pci"
    case .network: "virtio_net"
    case .balloon: "virtio_balloon"
    case .disk: "virtio_blk"
    case .ext4: "ext4"
    case .pmem: "virtio_pmem"
    }
  }

  /// Modules of some kernels that the driver's use takes.
  private var companions: [String] {
    switch self {
    case .network: ["af_packet", "ipv6"]  // Packets for DHCP.
    case .pci, .disk, .balloon: []
    // Checksums of metadata, which the file system asks for by another name.
    case .ext4: ["crc32c_generic", "crc32c_intel"]
    // What makes a block device of it.
    case .pmem: ["nd_pmem"]
    }
  }

  /// Whether a machine goes without the device where the kernel has no driver for it.
  private var isOptional: Bool { self == .balloon }

  fileprivate var purpose: String {
    switch self {
    case .pci: "a PCI bus"
    case .network: "a network card"
    case .balloon: "a balloon"
    case .disk: "a disk"
    case .ext4: "a root disk"
    case .pmem: "persistent memory"
    }
  }

  /// - Parameter others: file names of the modules that are in the initramfs anyway.
  /// - Returns: nil if the kernel has all of it built in, or does without.
  /// - Throws: `missingModule` for a kernel without the driver.
  func archive(
    from tree: ModuleTree, release: String, besides others: [String]
  ) throws(KernelBundleError) -> [UInt8]? {
    if tree.modules[driver] == nil, isOptional || tree.isBuiltIn(driver) { return nil }
    var resolver = ModuleResolver(tree, release: release)
    for name in companions where tree.modules[name] != nil { try resolver.add(name, neededBy: purpose) }
    try resolver.add(driver, neededBy: purpose)
    let modules = resolver.resolved.map { (fileName: "\($0.module.name).ko", image: $0.image) }
    return Initramfs.part(rawValue, modules: modules.filter { !others.contains($0.fileName) })
  }
}

extension KernelBundle {
  /// What a machine with such a device unpacks besides the initramfs; nil if the kernel has it all built in, or its modules
  /// are not known. An empty file says so, since looking through all modules takes time.
  package func archive(_ part: InitramfsPart) throws(KernelBundleError) -> String? {
    let path = "\(directory)/\(part.fileName)"
    if let size = Files.kind(path) == .file ? Files.size(path) : nil { return size > 0 ? path : nil }
    guard let modules else {
      // Without the bus's driver the guest would find no device at all, and nobody would hear of it.
      if part == .pci, try !Files.read(vmlinux).containsCString("virtio-pci") {
        throw .missingModule(release: release, name: part.driver, neededBy: part.purpose)
      }
      return nil
    }
    let tree = try ModuleTree(modules)
    guard let archive = try part.archive(from: tree, release: release, besides: description.modules) else {
      // In a store that others keep, the next start looks again.
      try? Files.replace(path, with: [])
      return nil
    }
    // The bundle was imported by a novm that did not know of this.
    do throws(KernelBundleError) {
      try Files.replace(path, with: archive)
    } catch {
      throw .cannotRefresh(path: directory, error.errno ?? Errno(5))
    }
    return path
  }
}
