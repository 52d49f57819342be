/// Which parts of a machine a kernel supports, and how that is known.
package struct GuestSupport: Codable, Equatable, Sendable {
  package enum State: String, Codable, Sendable {
    case builtIn = "built-in"
    case module
    case absent
  }

  /// Where the answers come from, surest first.
  package enum Evidence: String, Codable, Sendable {
    /// The modules directory: its modules and its `modules.builtin`.
    case modules
    /// The kernel's configuration: in the kernel, or in a file beside it.
    case configuration
    /// Names of drivers found in the image. A guess.
    case strings
  }

  package var mmio: State
  package var fileSystem: State
  package var vsock: State
  package var console: State
  package var entropy: State
  package var panic: State
  package var evidence: Evidence
  /// The kernel finds its devices by ACPI.
  package var acpi: Bool
  /// The kernel takes `virtio_mmio.device=` on its command line.
  package var commandLineDevices: Bool

  package subscript(part: GuestPart) -> State {
    switch part {
    case .mmio: mmio
    case .fileSystem: fileSystem
    case .vsock: vsock
    case .console: console
    case .entropy: entropy
    case .panic: panic
    }
  }

  package init(kernel: KernelImage, configuration: KernelConfiguration?, modules: ModuleTree?) {
    let configuration = configuration ?? KernelConfiguration(inKernel: kernel.bytes)
    let evidence: Evidence =
      modules?.builtIn != nil ? .modules : configuration != nil ? .configuration : .strings

    func state(_ part: GuestPart) -> State {
      if modules?.modules[part.module] != nil { return .module }
      switch evidence {
      case .modules: return modules?.isBuiltIn(part.module) == true ? .builtIn : .absent
      case .configuration:
        if configuration?.isBuiltIn(part.option) == true { return .builtIn }
        // With a tree that lacks it, it is not to be had; without a tree, it is to be asked for.
        return modules == nil && configuration?.isModule(part.option) == true ? .module : .absent
      case .strings: return kernel.bytes.containsCString(part.driverName) ? .builtIn : .absent
      }
    }

    mmio = state(.mmio)
    fileSystem = state(.fileSystem)
    vsock = state(.vsock)
    console = state(.console)
    entropy = state(.entropy)
    panic = state(.panic)
    self.evidence = evidence
    // An early parameter of drivers/acpi/osi.c, and the name of the one of drivers/virtio/virtio_mmio.c.
    acpi = configuration?.isBuiltIn("CONFIG_ACPI") ?? kernel.bytes.containsText("acpi_osi=")
    commandLineDevices =
      configuration?.isBuiltIn("CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES")
      ?? (kernel.bytes.containsCString("virtio_mmio.device") || Self.takesDevices(moduleOf: modules))
  }

  /// Whether the driver's module has the parent of devices from the command line, by its name.
  private static func takesDevices(moduleOf tree: ModuleTree?) -> Bool {
    guard let tree, let module = tree.modules[GuestPart.mmio.module] else { return false }
    return (try? tree.image(of: module))?.containsCString("virtio-mmio-cmdline") == true
  }
}

extension [UInt8] {
  fileprivate func containsText(_ text: String) -> Bool { firstOffset(of: Array(text.utf8)) != nil }
}
