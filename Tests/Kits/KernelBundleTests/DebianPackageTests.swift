import Foundation
import HostTesting
import Testing

@testable import KernelBundle

@Suite(.needs(tool: "dpkg-deb"))
struct DebianPackageTests {
  private let directory: TemporaryDirectory
  private let noguest: String

  init() throws {
    directory = try TemporaryDirectory()
    noguest = try directory.write("noguest", "noguest")
  }

  private var store: KernelStore { KernelStore(directory: "\(directory.path)/kernels") }

  /// Packs what is below `name` as a package of that name.
  private func pack(_ name: String, depends: String = "", compression: String = "xz") throws -> String {
    try directory.write(
      "\(name)/DEBIAN/control",
      """
      Package: \(name)
      Version: 1.2-3
      Architecture: amd64
      Maintainer: Someone <someone@example.org>
      \(depends.isEmpty ? "" : "Depends: \(depends)\n")Description: a test
       of folded lines

      """)
    let path = "\(directory.path)/pool/\(name)_1.2-3_amd64.deb"
    try FileManager.default.createDirectory(atPath: "\(directory.path)/pool", withIntermediateDirectories: true)
    let packed = try Tool.run(
      "dpkg-deb", ["--root-owner-group", "-Z\(compression)", "-b", "\(directory.path)/\(name)", path])
    try #require(packed.status == 0)
    return path
  }

  /// - Parameter beside: where the modules are, as in Debian's newest packages, instead of in /boot.
  private func addKernel(to package: String, beside: Bool = false) throws {
    let kernel = Synthetic.kernel()
    let image = Synthetic.bzImage(payload: try Compression.gzip.compress(kernel), size: 0, appendSize: false)
    try directory.write("\(package)/usr/share/doc/\(package)/copyright", "nobody")
    if beside {
      try directory.write("\(package)/usr/lib/modules/\(Synthetic.release)/vmlinuz", image)
      return
    }
    try directory.write("\(package)/boot/vmlinuz-\(Synthetic.release)", image)
    try directory.write("\(package)/boot/config-\(Synthetic.release)", "CONFIG_X86_64=y\nCONFIG_ACPI=y\n")
  }

  private func addModules(to package: String, below: String = "lib") throws {
    _ = try Synthetic.moduleTree(in: directory, "\(package)/\(below)/modules/\(Synthetic.release)")
  }

  /// apt-get's command line, and a pool instead of mirrors.
  private func packageTool() throws -> String {
    let apt = "\(directory.path)/apt-get"
    try MadeProgram.write(
      apt,
      """
      #!/bin/sh
      [ "$1" = download ] || exit 1
      cp "\(directory.path)/pool/$3"_* . 2>/dev/null || { echo "E: Unable to locate package $3" >&2; exit 100; }
      """)
    return apt
  }

  @Test(arguments: ["xz", "gzip", "zstd", "none"]) func kernelAndModules(_ compression: String) throws {
    try addKernel(to: "linux-image-6.1.0-test")
    try addModules(to: "linux-image-6.1.0-test")
    let package = try pack("linux-image-6.1.0-test", compression: compression)
    let bundle = try store.import(.packageFiles([package]), noguest: noguest)
    #expect(bundle.name == Synthetic.release)
    #expect(bundle.description.origin == .init(kind: .package, name: "linux-image-6.1.0-test 1.2-3"))
    #expect(bundle.description.support.acpi)
    #expect(bundle.description.support.fileSystem == .module)
    #expect(try directory.names("kernels/\(bundle.name)/modules").contains("kernel"))
    #expect(try directory.names("kernels") == [".lock", Synthetic.release])
  }

  @Test func modulesApartAndBelowUsr() throws {
    try addKernel(to: "linux-image-6.1.0-test")
    try addModules(to: "linux-modules-6.1.0-test", below: "usr/lib")
    let image = try pack("linux-image-6.1.0-test")
    let modules = try pack("linux-modules-6.1.0-test")
    let bundle = try store.import(.packageFiles([modules, image]), noguest: noguest)
    #expect(bundle.description.support.vsock == .module)
    #expect(bundle.description.origin.name == "linux-image-6.1.0-test 1.2-3, linux-modules-6.1.0-test 1.2-3")
  }

  @Test func aNameIsFollowedToTheKernel() throws {
    try addKernel(to: "linux-image-6.1.0-test")
    try addModules(to: "linux-modules-6.1.0-test")
    _ = try pack("linux-image-6.1.0-test", depends: "kmod, linux-base (>= 4.3), linux-modules-6.1.0-test (= 1.2-3)")
    _ = try pack("linux-modules-6.1.0-test")
    try directory.write("linux-image-amd64/usr/share/doc/x", "")
    _ = try pack("linux-image-amd64", depends: "linux-image-6.1.0-test (= 1.2-3) | linux-image-other")
    let apt = try packageTool()
    let store = KernelStore(directory: "\(directory.path)/kernels", packageTool: apt)
    var downloads: [String] = []
    let bundle = try store.import(.package(name: "linux-image-amd64"), noguest: noguest) {
      if case .downloading(let package) = $0 { downloads.append(package) }
    }
    #expect(downloads == ["linux-image-amd64", "linux-image-6.1.0-test", "linux-modules-6.1.0-test"])
    #expect(bundle.name == Synthetic.release)
    #expect(throws: KernelBundleError.noSuchPackage("linux-image-none")) {
      try store.import(.package(name: "linux-image-none"), noguest: noguest)
    }
    #expect(throws: KernelBundleError.noSuchPackage("--help")) {
      try store.import(.package(name: "--help"), noguest: noguest)
    }
    let without = KernelStore(directory: "\(directory.path)/kernels", packageTool: "novm-no-such-tool")
    #expect(throws: KernelBundleError.toolMissing("novm-no-such-tool")) {
      try without.import(.package(name: "linux-image-amd64"), noguest: noguest)
    }
    #expect(try directory.names("kernels") == [".lock", Synthetic.release])
  }

  @Test func imageModulesAndConfigurationOfTheirOwnPackages() throws {
    try addKernel(to: "linux-binary-6.1.0-test", beside: true)
    try addModules(to: "linux-modules-6.1.0-test", below: "usr/lib")
    let place = "linux-base-6.1.0-test/usr/lib/modules/\(Synthetic.release)"
    try directory.write("\(place)/config", "CONFIG_X86_64=y\nCONFIG_ACPI=y\n")
    let builtIn = "linux-modules-6.1.0-test/usr/lib/modules/\(Synthetic.release)/modules.builtin"
    try FileManager.default.moveItem(
      atPath: "\(directory.path)/\(builtIn)", toPath: "\(directory.path)/\(place)/modules.builtin")
    try directory.write("linux-image-6.1.0-test/usr/share/doc/x", "")
    let others = ["linux-base-6.1.0-test", "linux-binary-6.1.0-test", "linux-modules-6.1.0-test"]
    let image = try pack("linux-image-6.1.0-test", depends: "linux-base, " + others.joined(separator: ", "))
    let files = try others.map { try pack($0) }

    let store = KernelStore(directory: "\(directory.path)/kernels", packageTool: try packageTool())
    for (name, source) in [
      ("files", KernelSource.packageFiles(files)), ("fetched", .package(name: "linux-image-6.1.0-test")),
    ] {
      let support = try store.import(source, name: name, noguest: noguest).description.support
      #expect(support.evidence == .modules)
      #expect(support.fileSystem == .module)
      #expect(support.console == .builtIn)
      #expect(support.acpi)
    }
    #expect(throws: KernelBundleError.package(path: image, .noKernel(others: others))) {
      try store.import(.packageFiles([image]), noguest: noguest)
    }
  }

  @Test func linksLeadNowhere() throws {
    try addKernel(to: "linux-image-6.1.0-test")
    try addModules(to: "linux-image-6.1.0-test")
    let root = "\(directory.path)/linux-image-6.1.0-test/lib/modules/\(Synthetic.release)"
    try FileManager.default.createSymbolicLink(atPath: "\(root)/build", withDestinationPath: "/usr/src/headers")
    let bundle = try store.import(.packageFiles([try pack("linux-image-6.1.0-test")]), noguest: noguest)
    let target = try FileManager.default.destinationOfSymbolicLink(atPath: "\(bundle.modules!)/build")
    #expect(target == "/usr/src/headers")
  }

  @Test func noKernelInside() throws {
    try addModules(to: "linux-modules-6.1.0-test")
    let path = try pack("linux-modules-6.1.0-test")
    #expect(throws: KernelBundleError.package(path: path, .noKernel(others: []))) {
      try store.import(.packageFiles([path]), noguest: noguest)
    }
  }

  @Test func damagedPackages() throws {
    try addKernel(to: "linux-image-6.1.0-test")
    try addModules(to: "linux-image-6.1.0-test")
    let path = try pack("linux-image-6.1.0-test")
    let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    let damaged = "\(directory.path)/damaged.deb"
    func fault(_ bytes: [UInt8]) throws -> KernelBundleError? {
      try directory.write("damaged.deb", bytes)
      do throws(KernelBundleError) {
        _ = try store.import(.packageFiles([damaged]), noguest: noguest)
        return nil
      } catch { return error }
    }
    #expect(try fault([]) == .package(path: damaged, .notAPackage))
    #expect(try fault(Array("not a package at all".utf8)) == .package(path: damaged, .notAPackage))
    for cut in [7, 8, 40, 68, 72, 140, 200, bytes.count / 2, bytes.count - 100] {
      guard case .package(damaged, _) = try fault(Array(bytes[..<cut])) else {
        Issue.record("cut at \(cut) went unnoticed")
        continue
      }
    }
    // A flip in what is compressed.
    for at in [bytes.count / 3, bytes.count / 2, bytes.count - 400] {
      var flipped = bytes
      flipped[at] ^= 0x40
      guard case .package(damaged, .damaged) = try fault(flipped) else {
        Issue.record("flip at \(at) went unnoticed")
        continue
      }
    }
    #expect(try directory.names("kernels") == [".lock"])
  }
}
