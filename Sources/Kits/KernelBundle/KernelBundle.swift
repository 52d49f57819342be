import Boot
import Glibc
import Host

/// A kernel ready to boot: a directory of the store (docs/architecture.md, "A kernel bundle").
package struct KernelBundle: Equatable, Sendable {
  package let name: String
  package let directory: String
  package let description: BundleDescription

  package var vmlinux: String { "\(directory)/vmlinux" }
  package var initramfs: String { "\(directory)/initramfs" }
  /// The bzImage's setup header; nil for a bare vmlinux.
  package var setup: String? { description.bootProtocol == nil ? nil : "\(directory)/setup" }
  /// What the guest finds at `/lib/modules/RELEASE`; nil for a kernel imported without modules.
  package var modules: String? {
    let path = "\(directory)/modules"
    return Files.kind(path) == .directory ? path : nil
  }
  package var release: String { description.release }

  /// Opens a bundle and checks that its files are there.
  package init(name: String, directory: String) throws(KernelBundleError) {
    self.name = name
    self.directory = directory
    description = try BundleDescription.read("\(directory)/bundle.json")
    for path in [vmlinux, initramfs, setup].compactMap({ $0 }) where Files.kind(path) != .file {
      throw .damagedBundle(path: path)
    }
  }

  /// How many places of the kernel are changed when it is placed at a random address; nil where its image does not tell
  /// them, so that it lies where it was linked.
  package var relocationCount: Int? {
    guard let file = try? FileDescriptor.open(vmlinux, O_RDONLY), let size = try? file.regularFileSize(),
      let mapping = try? MemoryMapping(file, count: size)
    else { return nil }
    return mapping.withSpan { bytes in
      guard let kernel = try? Boot.KernelImage(bytes) else { return nil }
      return KernelRelocations(kernel, bytes)?.count
    }
  }

  /// Makes the initramfs hold the noguest at this path, which changes when novm is upgraded.
  ///
  /// Cheap enough for each start of a machine: the archive is only read when the file is not the one seen last.
  ///
  /// - Returns: whether the initramfs had to be written.
  @discardableResult
  package func refreshInitramfs(noguest: String) throws(KernelBundleError) -> Bool {
    let stamp = try Files.stamp(noguest)
    if Files.readText(stampPath) == stamp { return false }
    let archive = try Files.read(initramfs)
    guard let fresh = Initramfs.replacing(noguest: try Files.read(noguest), in: archive) else {
      throw .damagedBundle(path: initramfs)
    }
    do throws(KernelBundleError) {
      if fresh != archive { try Files.replace(initramfs, with: fresh) }
      try Files.replace(stampPath, with: Array(stamp.utf8))
    } catch {
      // In a store that others keep, with the right noguest, the next start looks again: slower, and right.
      if fresh == archive { return false }
      throw .cannotRefresh(path: directory, error.errno ?? Errno(EIO))
    }
    return fresh != archive
  }

  private var stampPath: String { "\(directory)/noguest.stamp" }
}
