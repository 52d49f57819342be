import Packs

/// A bundle as a tar archive, for other stores: its files by their names, without owners and symbolic links.
enum BundleArchive {
  static let description = "bundle.json"
  static let modules = "modules"

  /// Whether a bundle's top has a file of this name. The stamp of noguest is each store's own.
  static func isFile(_ name: String) -> Bool {
    // Parts of an initramfs come with devices: initramfs.network.
    [description, "initramfs", "setup", "vmlinux"].contains(name)
      || name.hasPrefix("initramfs.") && !name.contains("/") && !name.hasSuffix(".new")
  }

  static func attempt<Result>(_ body: () throws(PackError) -> Result) throws(KernelBundleError) -> Result {
    do { return try body() } catch { throw .archive(error) }
  }
}
