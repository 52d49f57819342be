import Glibc
import Host
import KernelBundle
import Testing

@testable import NovmKit

struct KernelBundleErrorMessageTests {
  private static let path = "/some/vmlinuz"

  private static let images: [ImageFault] =
    [
      .notAKernel, .truncated(needed: 2, present: 1), .thirtyTwoBit, .otherMachine(183), .oldBootProtocol(0x207),
      .unknownPayload([1, 2]), .payloadSize(expected: 1, actual: 2), .badELF(.header), .badELF(.programHeaders),
      .badELF(.segment(1)), .badELF(.noLoadableSegment), .badELF(.entryOutsideSegments), .badELF(.notExecutable),
      .notAModule,
    ]
    + [CompressionFault.truncated, .damaged, .tooLarge(limit: 1), .outOfMemory].map { .compression(.zstd, $0) }

  /// Each error, and what its line must name.
  static let errors: [(error: KernelBundleError, names: [String])] =
    images.map { (.image(path: path, $0), [path]) } + [
      (.system(operation: .read, path: path, Errno(ENOENT)), [path, "No such file"]),
      (.system(operation: .read, path: path, Errno(EACCES)), [path, "permission denied", "novm kernel import"]),
      (.system(operation: .create, path: path, Errno(EACCES)), [path, "Permission denied", "NOVM_KERNELS"]),
      (.system(operation: .write, path: path, Errno(ENOSPC)), [path, "No space left", "NOVM_KERNELS"]),
      (.input(.image, path: path, Errno(ENOENT)), [path, "No such file", "/boot/vmlinuz-"]),
      (.input(.image, path: path, Errno(EACCES)), [path, "permission denied", "novm kernel import"]),
      (.input(.modules, path: path, Errno(ENOTDIR)), [path, "--modules", "/lib/modules/"]),
      (.input(.package, path: path, Errno(ENOENT)), [path, "novm kernel import --deb linux-image-amd64"]),
      (.notAModuleTree(path: path), [path, "/lib/modules/"]),
      (.releaseMismatch(kernel: "6.1", modules: "6.2", path: path), [path, "6.1", "6.2"]),
      (.unknownRelease(path: path), [path]),
      (.missingSupport(release: "6.1", .fileSystem), ["6.1", "virtio-fs", "CONFIG_VIRTIO_FS", "novm kernel import"]),
      (.modulesNeeded(release: "6.1", .vsock), ["6.1", "virtio-vsock", "--modules"]),
      (.missingModule(release: "6.1", name: "fuse", neededBy: "virtiofs"), ["6.1", "fuse", "virtiofs"]),
      (.noRunningKernel(path: path), [path, "novm kernel import --deb"]),
      (.package(path: path, .notAPackage), [path]),
      (.package(path: path, .damaged("why")), [path, "why"]),
      (.package(path: path, .noKernel(others: [])), [path, "linux-image"]),
      (.package(path: path, .noKernel(others: ["linux-binary-7", "linux-modules-7"])), ["linux-binary-7, linux-mod"]),
      (.noSuchPackage("linux-image-x"), ["linux-image-x", "apt-get update"]),
      (.toolMissing("apt-get"), ["apt-get", "--deb FILE"]),
      (.toolFailed("apt-get download", status: 100, message: "E: no"), ["apt-get download", "100", "E: no"]),
      (.invalidName("../x"), ["../x"]),
      (.noSuchBundle("x", store: "/store"), ["x", "/store", "novm kernel list"]),
      (.noBundles(store: "/store"), ["/store", "novm kernel import"]),
      (.badDescription(path: path), [path, "import the kernel again"]),
      (.damagedBundle(path: path), [path, "import the kernel again"]),
      (.cannotRefresh(path: path, Errno(EACCES)), [path, "Permission denied"]),
    ]

  @Test(arguments: errors.indices) func oneLineThatNamesTheThing(_ index: Int) {
    let (error, names) = Self.errors[index]
    let message = error.message
    #expect(!message.contains("\n"))
    for name in names { #expect(message.contains(name), "\(message)") }
    // A mend, not only a complaint; the words of a system call's error are all that is known of others.
    if case .system = error { return }
    if case .toolFailed = error { return }
    #expect(message.contains(";") || message.contains("novm runs"), "\(message)")
  }
}
