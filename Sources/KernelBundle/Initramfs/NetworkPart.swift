import Host

/// The part of an initramfs that comes with a network card: its driver, and what that depends on. Machines without a card
/// neither read nor unpack it.
enum NetworkPart {
  static let fileName = "initramfs.network"

  static let driver = "virtio_net"
  /// Modules of some kernels that the setup of a card takes: packets for DHCP, IPv6.
  private static let companions = ["af_packet", "ipv6"]
  private static let purpose = "a network card"

  /// - Parameter others: file names of the modules that are in the initramfs anyway.
  /// - Returns: nil if the kernel has all of it built in.
  /// - Throws: `missingModule` for a kernel without the driver.
  static func archive(
    from tree: ModuleTree, release: String, besides others: [String]
  ) throws(KernelBundleError) -> [UInt8]? {
    if tree.modules[driver] == nil, tree.isBuiltIn(driver) { return nil }
    var resolver = ModuleResolver(tree, release: release)
    for name in companions where tree.modules[name] != nil { try resolver.add(name, neededBy: purpose) }
    try resolver.add(driver, neededBy: purpose)
    let modules = resolver.resolved.map { (fileName: "\($0.module.name).ko", image: $0.image) }
    return Initramfs.part("network", modules: modules.filter { !others.contains($0.fileName) })
  }
}

extension KernelBundle {
  /// What a machine with a network card unpacks besides the initramfs; nil if the kernel has it all built in, or its
  /// modules are not known.
  package func networkInitramfs() throws(KernelBundleError) -> String? {
    let path = "\(directory)/\(NetworkPart.fileName)"
    if Files.kind(path) == .file { return path }
    guard let modules else { return nil }
    let tree = try ModuleTree(modules)
    guard let archive = try NetworkPart.archive(from: tree, release: release, besides: description.modules) else {
      return nil
    }
    // The bundle was imported by a novm that knew of no cards.
    do throws(KernelBundleError) {
      try Files.replace(path, with: archive)
    } catch {
      throw .cannotRefresh(path: directory, error.errno ?? Errno(5))
    }
    return path
  }
}
