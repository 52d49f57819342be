import Foundation
import HostTesting
import Testing

@testable import KernelBundle

@Suite(
  .needs(ofHost: "Debian", DebianKernels.areOffered), .needs(DebianKernels.what, DebianKernels.cloud != nil))
struct DebianKernelTests {
  private let directory: TemporaryDirectory
  private let store: KernelStore
  private let noguest: String

  init() throws {
    directory = try TemporaryDirectory()
    store = KernelStore(directory: "\(directory.path)/kernels")
    noguest = try directory.write("noguest", "noguest")
  }

  private static let virtio = [
    "virtio_ring.ko", "virtio.ko", "virtio_mmio.ko", "fuse.ko", "virtiofs.ko", "vsock.ko",
    "vmw_vsock_virtio_transport_common.ko", "vmw_vsock_virtio_transport.ko",
  ]

  @Test func cloudKernel() throws {
    let bundle = try store.import(.packageFiles([try #require(DebianKernels.cloud)]), noguest: noguest)
    #expect(bundle.release.hasSuffix("-cloud-amd64"))
    #expect(Array(bundle.description.modules.prefix(Self.virtio.count)) == Self.virtio)
    for part in GuestPart.allCases { #expect(bundle.description.support[part] == .module, "\(part)") }
    #expect(bundle.description.support.acpi)
    #expect(!bundle.description.support.commandLineDevices)
    #expect(bundle.description.entries.pvh != nil)
    #expect(bundle.description.buildID?.count == 40)
    #expect(bundle.description.size > 100 << 20)
  }

  @Test(.needs(DebianKernels.what, DebianKernels.generic != nil)) func genericKernel() throws {
    let bundle = try store.import(.packageFiles([try #require(DebianKernels.generic)]), noguest: noguest)
    #expect(Array(bundle.description.modules.prefix(Self.virtio.count)) == Self.virtio)
    #expect(bundle.description.support.fileSystem == .module)
    let dependencies = try directory.read("kernels/\(bundle.name)/modules/modules.dep")
    #expect(dependencies.count { $0 == UInt8(ascii: "\n") } > 3000)
  }

  /// What the package holds apart from novm's reading of it.
  private func unpacked() throws -> (image: [UInt8], modules: String) {
    let package = try #require(DebianKernels.cloud)
    let contents = try DebianPackage(package).unpack(into: "\(directory.path)/unpacked") { _ in }
    return (try Files.read(try #require(contents.image)), try #require(contents.modules))
  }

  @Test func damagedImages() throws {
    let (image, _) = try unpacked()
    let whole = try BzImage(image)
    // Before the header, within it, after it, at the payload's start, middle and end, and after the payload.
    let stages = [
      0, 1, 0x1F1, 0x202, 0x206, 0x236, 0x24F, 0x260, 512 * 8, whole.payload.lowerBound - 1,
      whole.payload.lowerBound + 4,
      (whole.payload.lowerBound + whole.payload.upperBound) / 2, whole.payload.upperBound - 1,
      whole.payload.upperBound + 3,
    ]
    for cut in stages {
      #expect(throws: ImageFault.self, "cut at \(cut)") { _ = try BzImage(Array(image[..<cut])).kernel() }
    }
    // Flips in the fields that matter.
    for at in [0x202, 0x205, 0x236, 0x249, 0x24B, 0x24E, 0x24F, whole.payload.lowerBound, whole.payload.upperBound + 1]
    {
      var flipped = image
      flipped[at] ^= at == 0x236 ? 0x01 : 0xFF
      #expect(throws: ImageFault.self, "flip at \(at)") { _ = try BzImage(flipped).kernel() }
    }
    // And anywhere at all: Debian's payload is lz4, without a checksum of its own.
    for at in [300, 600, 20_000, 1_000_000, 7_000_003, 9_000_000] {
      var flipped = image
      flipped[at] ^= 0x41
      #expect(throws: ImageFault.self, "flip at \(at)") { _ = try BzImage(flipped).kernel() }
    }
  }

  @Test(.needs(tool: "depmod")) func indexesAreDepmods() throws {
    let (_, modules) = try unpacked()
    let release = (modules as NSString).lastPathComponent
    let theirs = "\(directory.path)/theirs/lib/modules"
    try FileManager.default.createDirectory(atPath: theirs, withIntermediateDirectories: true)
    try FileManager.default.copyItem(atPath: modules, toPath: "\(theirs)/\(release)")
    let depmod = try Tool.run("depmod", ["-b", "\(directory.path)/theirs", release])
    #expect(depmod.status == 0)
    try ModuleIndexes(try ModuleTree(modules)) { _ in }.write(to: modules)
    for name in ["alias", "alias.bin", "softdep", "devname", "builtin.bin", "builtin.alias.bin"] {
      #expect(
        try Files.read("\(modules)/modules.\(name)") == Files.read("\(theirs)/\(release)/modules.\(name)"),
        "modules.\(name)")
    }
    // Independent modules may come in another order.
    func dependencies(_ path: String) throws -> [String: Set<Substring>] {
      let lines = String(decoding: try Files.read(path), as: UTF8.self).split(separator: "\n")
      return Dictionary(
        uniqueKeysWithValues: lines.map { line in
          let words = line.split(separator: " ")
          return (String(words[0]), Set(words.dropFirst()))
        })
    }
    #expect(
      try dependencies("\(modules)/modules.dep") == dependencies("\(theirs)/\(release)/modules.dep"))
  }
}
