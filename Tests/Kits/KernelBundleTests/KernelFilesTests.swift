import HostTesting
import Testing

@testable import KernelBundle

struct KernelFilesTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  @Test func asDebianInstalls() throws {
    try directory.write("boot/vmlinuz-6.1", "")
    try directory.write("boot/config-6.1", "")
    try directory.write("lib/modules/6.1/modules.dep", "")
    let files = try KernelFiles.installed("6.1", root: directory.path)
    #expect(files.image == "\(directory.path)/boot/vmlinuz-6.1")
    #expect(files.configuration == "\(directory.path)/boot/config-6.1")
    #expect(files.modules == "\(directory.path)/lib/modules/6.1")
    #expect(!files.ownsModules)
    #expect(files.origin == .init(kind: .runningSystem, name: files.image))
  }

  @Test func asFedoraInstalls() throws {
    try directory.write("lib/modules/6.1/vmlinuz", "")
    try directory.write("lib/modules/6.1/config", "")
    let files = try KernelFiles.installed("6.1", root: directory.path)
    #expect(files.image == "\(directory.path)/lib/modules/6.1/vmlinuz")
    #expect(files.configuration == "\(directory.path)/lib/modules/6.1/config")
  }

  @Test func noKernelInstalled() throws {
    try directory.write("boot/vmlinuz-6.2", "")
    #expect(throws: KernelBundleError.noRunningKernel(path: "\(directory.path)/boot/vmlinuz-6.1")) {
      try KernelFiles.installed("6.1", root: directory.path)
    }
  }
}
