import HostTesting
import Testing

@testable import KernelBundle

struct GuestSupportTests {
  private let configuration = """
    # CONFIG_OTHER is not set
    CONFIG_X86_64=y
    CONFIG_ACPI=y
    CONFIG_VIRTIO_MMIO=y
    CONFIG_VIRTIO_FS=m
    CONFIG_VIRTIO_VSOCKETS=y
    CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES=y
    CONFIG_LOCALVERSION="=y"
    """

  private func support(
    strings: [String] = [], inKernel: [UInt8] = [], beside: String? = nil, tree: String? = nil
  ) throws -> GuestSupport {
    GuestSupport(
      kernel: try KernelImage(Synthetic.kernel(strings: strings, configuration: inKernel, hasACPI: false)),
      configuration: beside.map(KernelConfiguration.init(text:)), modules: try tree.map { try ModuleTree($0) })
  }

  @Test func byTheModulesDirectory() throws {
    let directory = try TemporaryDirectory()
    let support = try support(
      beside: configuration, tree: try Synthetic.moduleTree(in: directory, without: ["virtiofs"]))
    #expect(support.evidence == .modules)
    #expect(support.mmio == .module)
    #expect(support.vsock == .module)
    #expect(support.console == .builtIn)
    // The configuration says that it is a module; the directory, which has the last word, has none.
    #expect(support.fileSystem == .absent)
    #expect(support.panic == .absent)
    #expect(support.acpi && support.commandLineDevices)
  }

  @Test func byTheConfigurationInTheKernel() throws {
    let packed = try Compression.gzip.compress(Array(configuration.utf8))
    let support = try support(inKernel: packed)
    #expect(support.evidence == .configuration)
    #expect(support.mmio == .builtIn)
    #expect(support.fileSystem == .module)
    #expect(support.vsock == .builtIn)
    #expect(support.console == .absent)
    #expect(support.acpi && support.commandLineDevices)
  }

  @Test func damagedConfigurationIsNone() throws {
    var packed = try Compression.gzip.compress(Array(configuration.utf8))
    packed[packed.count / 2] ^= 0xFF
    #expect(try support(inKernel: packed).evidence == .strings)
  }

  @Test func byNamesInTheImage() throws {
    let support = try support(strings: ["virtio-mmio", "virtiofs", "vmw_vsock_virtio_transport", "virtio_mmio.device"])
    #expect(support.evidence == .strings)
    #expect(support.mmio == .builtIn)
    #expect(support.fileSystem == .builtIn)
    #expect(support.vsock == .builtIn)
    #expect(support.console == .absent)
    #expect(!support.acpi && support.commandLineDevices)
  }

  /// Without a configuration, a driver that is a module tells by the name of its devices' parent.
  @Test func byTheDriversModule() throws {
    let directory = try TemporaryDirectory()
    let tree = try Synthetic.moduleTree(in: directory, without: ["virtio_mmio"])
    #expect(try !support(tree: tree).commandLineDevices)
    try directory.write(
      "modules/updates/virtio_mmio.ko", Synthetic.module(named: "virtio_mmio", ["virtio-mmio-cmdline"]))
    let found = try support(tree: tree)
    #expect(found.commandLineDevices && found.mmio == .module && !found.acpi)
  }

  @Test func partOfALongerNameIsNotTheName() throws {
    #expect(try support(strings: ["virtio-mmio-device", "xvirtiofs"]).mmio == .absent)
    #expect(try support(strings: ["virtio-mmio-device", "xvirtiofs"]).fileSystem == .absent)
  }
}
