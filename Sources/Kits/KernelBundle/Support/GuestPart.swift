/// What a kernel can bring to a machine of novm, by driver.
package enum GuestPart: String, Codable, CaseIterable, Sendable {
  case mmio = "virtio-mmio"
  case fileSystem = "virtio-fs"
  case vsock = "virtio-vsock"
  case console = "virtio-console"
  case entropy = "virtio-rng"
  case panic = "pvpanic-mmio"

  /// Without these, no command can run in the machine.
  package var isRequired: Bool {
    switch self {
    case .mmio, .fileSystem, .vsock: true
    case .console, .entropy, .panic: false
    }
  }

  /// The driver's module, and its name in `modules.builtin`.
  package var module: String {
    switch self {
    case .mmio: "virtio_mmio"
    case .fileSystem: "virtiofs"
    case .vsock: "vmw_vsock_virtio_transport"
    case .console: "virtio_console"
    case .entropy: "virtio_rng"
    case .panic: "pvpanic_mmio"
    }
  }

  /// The option of the kernel's configuration.
  package var option: String {
    switch self {
    case .mmio: "CONFIG_VIRTIO_MMIO"
    case .fileSystem: "CONFIG_VIRTIO_FS"
    case .vsock: "CONFIG_VIRTIO_VSOCKETS"
    case .console: "CONFIG_VIRTIO_CONSOLE"
    case .entropy: "CONFIG_HW_RANDOM_VIRTIO"
    case .panic: "CONFIG_PVPANIC_MMIO"
    }
  }

  /// The name under which the driver registers: a whole C string in a kernel that has it built in.
  var driverName: String {
    switch self {
    case .mmio: "virtio-mmio"
    case .panic: "pvpanic-mmio"
    case .fileSystem, .vsock, .console, .entropy: module
    }
  }
}
