import Foundation
import Host
import HostTesting
import Testing

@testable import KernelBundle

struct KernelStoreTests {
  private let directory: TemporaryDirectory
  private let store: KernelStore
  private let noguest: String

  init() throws {
    directory = try TemporaryDirectory()
    store = KernelStore(directory: "\(directory.path)/kernels")
    noguest = try directory.write("noguest", "first noguest")
  }

  private func bzImage(_ kernel: [UInt8] = Synthetic.kernel(), release: String = Synthetic.release) throws -> [UInt8] {
    Synthetic.bzImage(
      payload: try Compression.xz.compress(kernel), size: kernel.count, appendSize: true, release: release)
  }

  private func imported(name: String? = nil) throws -> KernelBundle {
    let image = try directory.write("vmlinuz", try bzImage())
    return try store.import(
      .image(path: image, modules: try Synthetic.moduleTree(in: directory)), name: name, noguest: noguest)
  }

  private func failure(_ source: KernelSource) -> KernelBundleError? {
    do throws(KernelBundleError) {
      _ = try store.import(source, noguest: noguest)
      return nil
    } catch { return error }
  }

  @Test func bzImageWithModules() throws {
    let bundle = try imported()
    #expect(bundle.name == Synthetic.release)
    #expect(try directory.names("kernels") == [".lock", Synthetic.release])
    let below = "kernels/\(Synthetic.release)"
    #expect(try directory.names(below) == ["bundle.json", "initramfs", "modules", "noguest.stamp", "setup", "vmlinux"])
    #expect(try directory.read("\(below)/vmlinux") == Synthetic.kernel())
    #expect(try directory.read("\(below)/setup") == BzImage(try bzImage()).setupHeader)
    #expect(try directory.names("\(below)/modules").contains("modules.dep.bin"))
    #expect(
      try directory.read("\(below)/modules/kernel/fs/fuse/fuse.ko") == directory.read("modules/kernel/fs/fuse/fuse.ko"))

    let description = bundle.description
    #expect(description.release == Synthetic.release)
    #expect(description.buildID == "abcdef01")
    #expect(description.entries.linux64.value == 0x100_0000)
    #expect(description.entries.pvh?.value == 0x100_0040)
    #expect(description.payload == .xz)
    #expect(description.bootProtocol == "2.15")
    #expect(description.modules.last == "virtio_rng.ko")
    #expect(description.support.console == .builtIn)
    #expect(description.origin == .init(kind: .image, name: "\(directory.path)/vmlinuz"))
    #expect(bundle.modules == "\(directory.path)/\(below)/modules")
    // What was written is what is read.
    #expect(try store.bundle(named: bundle.name) == bundle)
    #expect(try store.newest() == bundle)
  }

  @Test func initramfsHoldsTheModulesInOrder() throws {
    let bundle = try imported()
    let archive = try directory.read("kernels/\(bundle.name)/initramfs")
    let images = try bundle.description.modules.map { name in
      let path = try #require(
        Synthetic.guestModules.first { ModuleInfo.normalised($0.path).hasSuffix("/" + name.dropLast(3)) }
      ).path
      return (fileName: name, image: try directory.read("modules/\(path).ko"))
    }
    #expect(archive == Initramfs.archive(noguest: Array("first noguest".utf8), modules: images))
  }

  @Test func bareVmlinuxWithoutModules() throws {
    let drivers = ["virtio-mmio", "virtiofs", "vmw_vsock_virtio_transport"]
    let image = try directory.write("vmlinux", Synthetic.kernel(strings: drivers))
    let bundle = try store.import(.image(path: image, modules: nil), noguest: noguest)
    #expect(bundle.setup == nil)
    #expect(bundle.modules == nil)
    #expect(bundle.description.payload == nil)
    #expect(bundle.description.modules == [])
    #expect(bundle.description.support.evidence == .strings)
    #expect(try directory.names("kernels/\(bundle.name)") == ["bundle.json", "initramfs", "noguest.stamp", "vmlinux"])
  }

  @Test func aBusTakesItsDriver() throws {
    let strings = GuestPart.allCases.map(\.driverName)
    let without = try directory.write("without", Synthetic.kernel(strings: strings))
    let bundle = try store.import(.image(path: without, modules: nil), noguest: noguest)
    #expect(throws: KernelBundleError.missingModule(release: bundle.release, name: "virtio_pci", neededBy: "a PCI bus"))
    {
      try bundle.archive(.pci)
    }
    let with = try directory.write("with", Synthetic.kernel(strings: strings + ["virtio-pci"]))
    #expect(try store.import(.image(path: with, modules: nil), noguest: noguest).archive(.pci) == nil)
    #expect(throws: KernelBundleError.self) { try imported(name: "modules").archive(.pci) }
  }

  @Test func configurationBesideTheImageIsRead() throws {
    let image = try directory.write("vmlinuz-x", try bzImage())
    try directory.write(
      "config-x", "CONFIG_X86_64=y\nCONFIG_VIRTIO_MMIO=y\nCONFIG_VIRTIO_FS=m\nCONFIG_VIRTIO_VSOCKETS=y\n")
    #expect(failure(.image(path: image, modules: nil)) == .modulesNeeded(release: Synthetic.release, .fileSystem))
    try directory.write("config-x", "CONFIG_X86_64=y\nCONFIG_VIRTIO_MMIO=y\nCONFIG_VIRTIO_VSOCKETS=y\n")
    #expect(failure(.image(path: image, modules: nil)) == .missingSupport(release: Synthetic.release, .fileSystem))
  }

  @Test func bareVmlinuxMayHaveModules() throws {
    let image = try directory.write(
      "vmlinux", Synthetic.kernel(strings: ["virtio-mmio", "vmw_vsock_virtio_transport"]))
    #expect(failure(.image(path: image, modules: nil)) == .modulesNeeded(release: Synthetic.release, .fileSystem))
  }

  @Test func kernelThatFindsNoDevices() throws {
    let drivers = ["virtio-mmio", "virtiofs", "vmw_vsock_virtio_transport"]
    let image = try directory.write("vmlinux", Synthetic.kernel(strings: drivers, hasACPI: false))
    #expect(failure(.image(path: image, modules: nil)) == .noDiscovery(release: Synthetic.release))
    try directory.write("vmlinux", Synthetic.kernel(strings: drivers + ["virtio_mmio.device"], hasACPI: false))
    let bundle = try store.import(.image(path: image, modules: nil), noguest: noguest)
    #expect(!bundle.description.support.acpi && bundle.description.support.commandLineDevices)
  }

  @Test(arguments: [GuestPart.mmio, .fileSystem, .vsock]) func kernelWithoutARequiredPart(_ part: GuestPart) throws {
    let image = try directory.write("vmlinuz", try bzImage())
    let tree = try Synthetic.moduleTree(in: directory, without: [part.module])
    #expect(failure(.image(path: image, modules: tree)) == .missingSupport(release: Synthetic.release, part))
    #expect(try directory.names("kernels") == [".lock"])
  }

  @Test func kernelWithoutAnOptionalPart() throws {
    let image = try directory.write("vmlinuz", try bzImage())
    let tree = try Synthetic.moduleTree(in: directory, without: ["virtio_rng"])
    let bundle = try store.import(.image(path: image, modules: tree), noguest: noguest)
    #expect(bundle.description.support.entropy == .absent)
    #expect(!bundle.description.modules.contains("rng_core.ko"))
  }

  @Test func modulesOfAnotherKernel() throws {
    let image = try directory.write("vmlinuz", try bzImage(Synthetic.kernel(release: "9.9.9"), release: "9.9.9"))
    let tree = try Synthetic.moduleTree(in: directory)
    let path = "\(tree)/kernel/drivers/virtio/virtio_ring.ko"
    #expect(
      failure(.image(path: image, modules: tree))
        == .releaseMismatch(kernel: "9.9.9", modules: Synthetic.release, path: path))
  }

  @Test func badSources() throws {
    let image = try directory.write("vmlinuz", try bzImage())
    let nowhere = "\(directory.path)/nowhere"
    #expect(failure(.image(path: nowhere, modules: nil)) == .input(.image, path: nowhere, Errno(ENOENT)))
    #expect(
      failure(.image(path: directory.path, modules: nil)) == .noBuild(path: directory.path))
    #expect(failure(.image(path: image, modules: nowhere)) == .input(.modules, path: nowhere, Errno(ENOENT)))
    #expect(failure(.image(path: image, modules: image)) == .input(.modules, path: image, Errno(ENOTDIR)))
    #expect(failure(.packageFiles([nowhere])) == .input(.package, path: nowhere, Errno(ENOENT)))
    // Told before the store is made, or locked.
    #expect(!FileManager.default.fileExists(atPath: store.directory))
    let stray = "\(directory.path)/stray"
    try directory.write("stray/deep/one.ko", "a module")
    #expect(failure(.image(path: image, modules: stray)) == .notAModuleTree(path: stray))
    let text = try directory.write("text", "hello\n")
    #expect(failure(.image(path: text, modules: nil)) == .image(path: text, .notAKernel))
    #expect(throws: KernelBundleError.system(operation: .open, path: nowhere, Errno(ENOENT))) {
      try store.import(.image(path: image, modules: try Synthetic.moduleTree(in: directory)), noguest: nowhere)
    }
    #expect(try directory.names("kernels") == [".lock"])
  }

  @Test func importingAgainReplaces() throws {
    let first = try imported()
    try directory.write("noguest", "second noguest")
    let second = try imported()
    #expect(first.name == second.name)
    #expect(try directory.names("kernels") == [".lock", Synthetic.release])
    let archive = try directory.read("kernels/\(second.name)/initramfs")
    #expect(archive.firstOffset(of: Array("second noguest".utf8)) != nil)
  }

  @Test func noguestIsRefreshed() throws {
    let bundle = try imported()
    let before = try directory.read("kernels/\(bundle.name)/initramfs")
    #expect(try !bundle.refreshInitramfs(noguest: noguest))
    try directory.write("noguest", "another noguest, and longer")
    #expect(try bundle.refreshInitramfs(noguest: noguest))
    #expect(try !bundle.refreshInitramfs(noguest: noguest))
    // The same contents in another file: looked at once more, and found right.
    let copy = try directory.write("copy", "another noguest, and longer")
    #expect(try !bundle.refreshInitramfs(noguest: copy))
    try directory.write("noguest", "first noguest")
    #expect(try bundle.refreshInitramfs(noguest: noguest))
    #expect(try directory.read("kernels/\(bundle.name)/initramfs") == before)
    #expect(try directory.names("kernels/\(bundle.name)").count == 6)
    try directory.write("kernels/\(bundle.name)/initramfs", "nonsense")
    try directory.write("noguest", "third noguest")
    #expect(throws: KernelBundleError.damagedBundle(path: bundle.initramfs)) {
      try bundle.refreshInitramfs(noguest: noguest)
    }
  }

  @Test func listsByReleaseThenTimeThenName() throws {
    #expect(try store.list().bundles == [])
    #expect(throws: KernelBundleError.noBundles(store: store.directory)) { try store.newest() }
    for (name, release, year) in [
      ("z", "6.1.0-9", 2026), ("b", "6.1.0-10", 2025), ("c", "6.1.0-10", 2024), ("a", "6.1.0-10", 2024),
      ("d", "6.1.0-10", 2023), ("y", "5.10.0", 2027),
    ] {
      let drivers = ["virtio-mmio", "virtiofs", "vmw_vsock_virtio_transport"]
      let image = try directory.write("vmlinux", Synthetic.kernel(release: release, strings: drivers))
      let bundle = try store.import(.image(path: image, modules: nil), name: name, noguest: noguest)
      var description = bundle.description
      description.imported = try Date("\(year)-01-01T00:00:00Z", strategy: .iso8601)
      try directory.write("kernels/\(name)/bundle.json", description.json())
    }
    try FileManager.default.createDirectory(atPath: "\(store.directory)/damaged", withIntermediateDirectories: true)
    try directory.write("kernels/damaged/bundle.json", "{}")
    let listing = try store.list()
    #expect(listing.bundles.map(\.name) == ["b", "a", "c", "d", "z", "y"])
    #expect(try store.newest().name == "b")
    #expect(listing.damaged.map(\.name) == ["damaged"])
    #expect(listing.damaged.first?.error == .badDescription(path: "\(store.directory)/damaged/bundle.json"))
    try store.remove("b")
    #expect(try store.newest().name == "a")
    try store.remove("damaged")
    #expect(try store.list().damaged.isEmpty)
  }

  @Test func namesThatAreNoNames() throws {
    for name in ["", ".", "..", ".lock", "a/b", "../a", "-x", "a b", "a\n", String(repeating: "x", count: 129), "é"] {
      #expect(throws: KernelBundleError.invalidName(name)) { try store.bundle(named: name) }
      #expect(throws: KernelBundleError.invalidName(name)) { try store.remove(name) }
      #expect(throws: KernelBundleError.invalidName(name)) { try imported(name: name) }
    }
    #expect(throws: KernelBundleError.noSuchBundle("none", store: store.directory)) { try store.remove("none") }
    #expect(throws: KernelBundleError.noSuchBundle("none", store: store.directory)) { try store.bundle(named: "none") }
    // A release is a name only if it can be one.
    let image = try directory.write("vmlinuz", try bzImage(release: "../../etc"))
    #expect(failure(.image(path: image, modules: try Synthetic.moduleTree(in: directory))) != nil)
    #expect(!FileManager.default.fileExists(atPath: "\(directory.path)/etc"))
  }

  @Test func whatADeadImportLeftIsRemoved() throws {
    try directory.write("kernels/.import-1/bundle/vmlinux", "half")
    _ = try imported()
    #expect(try directory.names("kernels") == [".lock", Synthetic.release])
    let uses: [() throws -> Void] = [
      { _ = try store.list() },
      { _ = try store.newest() },
      { _ = try store.bundle(named: Synthetic.release) },
      { _ = try? store.bundle(named: "none") },
      { try? store.remove("none") },
    ]
    for use in uses {
      try directory.write("kernels/.import-2/bundle/vmlinux", "half")
      try use()
      #expect(try directory.names("kernels") == [".lock", Synthetic.release])
    }
    try directory.write("kernels/.import-2/bundle/vmlinux", "half")
    try store.remove(Synthetic.release)
    #expect(try directory.names("kernels") == [".lock"])
  }

  @Test func aLiveImportIsLeftAlone() throws {
    try directory.write("kernels/.import-1/bundle/vmlinux", "half")
    let lock = open("\(store.directory)/.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    defer { close(lock) }
    #expect(flock(lock, LOCK_EX) == 0)
    #expect(try store.list().bundles.isEmpty)
    #expect(try directory.names("kernels") == [".import-1", ".lock"])
  }

  @Test func importsWaitForEachOther() throws {
    try FileManager.default.createDirectory(atPath: store.directory, withIntermediateDirectories: true)
    let lock = open("\(store.directory)/.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    #expect(flock(lock, LOCK_EX) == 0)
    let image = try directory.write("vmlinuz", try bzImage())
    let tree = try Synthetic.moduleTree(in: directory)
    var waited = false
    _ = try store.import(.image(path: image, modules: tree), noguest: noguest) { progress in
      guard progress == .waitingForLock else { return }
      waited = true
      close(lock)
    }
    #expect(waited)
  }

  @Test func missingFilesOfABundle() throws {
    let bundle = try imported()
    try FileManager.default.removeItem(atPath: bundle.vmlinux)
    #expect(throws: KernelBundleError.damagedBundle(path: bundle.vmlinux)) { try store.bundle(named: bundle.name) }
    #expect(throws: KernelBundleError.noBundles(store: store.directory)) { try store.newest() }
  }
}
