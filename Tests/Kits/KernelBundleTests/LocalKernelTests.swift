import Foundation
import Glibc
import Host
import HostTesting
import Testing

@testable import KernelBundle

/// Kernels that are booted from where they were built.
struct LocalKernelTests {
  private let directory: TemporaryDirectory
  private let store: KernelStore
  private let noguest: String
  private let build: String

  init() throws {
    directory = try TemporaryDirectory()
    store = KernelStore(directory: "\(directory.path)/kernels")
    noguest = try directory.write("noguest", "noguest")
    // As `make` leaves it: modules where their sources are, a configuration, and a Makefile.
    let installed = try Synthetic.moduleTree(in: directory)
    build = "\(directory.path)/linux"
    try FileManager.default.moveItem(atPath: installed, toPath: build)
    for entry in try FileManager.default.contentsOfDirectory(atPath: "\(build)/kernel") {
      try FileManager.default.moveItem(atPath: "\(build)/kernel/\(entry)", toPath: "\(build)/\(entry)")
    }
    try directory.write("linux/.config", "CONFIG_64BIT=y\n")
    try directory.write("linux/Makefile", "")
    try directory.write("linux/modules.order", "fs/fuse/fuse.o\n")
    if !FileManager.default.fileExists(atPath: "\(build)/modules.builtin") {
      try directory.write("linux/modules.builtin", "")
    }
    try make(Synthetic.kernel())
  }

  @Test func aBuildIsFoundByItsImage() throws {
    let real = try #require(LocalKernel.build(of: build))
    #expect(LocalKernel.build(of: "\(build)/arch/x86/boot/bzImage") == real)
    #expect(LocalKernel.build(of: "\(build)/Makefile") == nil)
  }

  private func make(_ kernel: [UInt8]) throws {
    let image = Synthetic.bzImage(
      payload: try Compression.xz.compress(kernel), size: kernel.count, appendSize: true, release: Synthetic.release)
    try directory.write("linux/arch/x86/boot/bzImage", image)
  }

  private func bundle(_ path: String) throws -> KernelBundle {
    try LocalKernel(path).bundle(in: store, noguest: noguest) { _ in }
  }

  private func inode(_ path: String) -> ino_t {
    var status = stat()
    return stat(path, &status) == 0 ? status.st_ino : 0
  }

  @Test func isImportedOnceABuild() throws {
    let first = try bundle(build)
    #expect(first.release == Synthetic.release && first.modules != nil)
    #expect(FileManager.default.fileExists(atPath: "\(first.modules ?? "")/kernel/fs/fuse/fuse.ko"))
    let made = inode(first.vmlinux)
    #expect(try bundle(build + "/") == first && inode(first.vmlinux) == made)
    // It is none of those with names.
    #expect(try store.list().bundles.isEmpty)
    // A module that was built again is another build, and the machine that has the first keeps it.
    try directory.write("linux/fs/fuse/fuse.ko", try directory.read("linux/fs/fuse/fuse.ko") + [0])
    let second = try bundle(build)
    #expect(second.vmlinux != first.vmlinux && inode(first.vmlinux) == made)
    for count in 2..<6 {
      try directory.write("linux/.config", "CONFIG_64BIT=y\n" + String(repeating: "#\n", count: count))
      _ = try bundle(build)
    }
    #expect(try KernelStore(directory: "\(store.directory)/.builds").list().bundles.count == 3)
  }

  @Test func whoLooksMakesNothing() throws {
    let kernel = try LocalKernel(build)
    #expect(throws: KernelBundleError.self) { try kernel.made(in: store) }
    #expect(!FileManager.default.fileExists(atPath: store.directory))
    let first = try bundle(build)
    #expect(try kernel.made(in: store) == first)
    // By whatever name.
    let link = "\(directory.path)/link"
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: build)
    #expect(try LocalKernel(link).made(in: store) == first)
    try directory.write("linux/.config", "CONFIG_64BIT=y\n#\n")
    #expect(throws: KernelBundleError.self) { try LocalKernel(build).made(in: store) }
  }

  @Test func anImageInItsPlaceHasTheBuildsModules() throws {
    let bundle = try bundle("\(build)/arch/x86/boot/bzImage")
    #expect(bundle.modules != nil)
    // By `novm kernel import`, too.
    let imported = try store.import(.image(path: build, modules: nil), name: "named", noguest: noguest)
    #expect(imported.modules != nil)
    #expect(try store.list().bundles.map(\.name) == ["named"])
  }

  @Test func whatIsNoneIsTold() throws {
    let empty = "\(directory.path)/empty"
    try FileManager.default.createDirectory(atPath: empty, withIntermediateDirectories: true)
    #expect(throws: KernelBundleError.self) { try bundle(empty) }
    #expect(throws: KernelBundleError.self) { try bundle("\(directory.path)/nowhere") }
    #expect(throws: KernelBundleError.self) { try bundle(noguest) }
  }
}
