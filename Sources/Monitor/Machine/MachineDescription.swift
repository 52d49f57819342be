import Boot
import FileSystem
import Host

/// A whole machine, as `novmm` is told it.
package struct MachineDescription {
  /// The kernel: an ELF file or a bzImage.
  package var kernel: Path = ""
  /// The bzImage setup header that belongs to the ELF file.
  package var setup: Path?
  /// Archives that the kernel unpacks, later ones over earlier ones.
  package var initramfs: [Path] = []
  package var commandLine: [UInt8] = []
  /// Whether the kernel's addresses are random (KASLR), where its image allows it.
  package var isRandomised = true
  /// Bytes of RAM, a whole number of MiB.
  package var memory: UInt64 = 512 << 20
  /// The state that it begins with, in the place of a kernel.
  package var state: Path?
  /// Whether it is to its guest the machine that the state is of, and none of several.
  package var keepsIdentity = false
  package var processors = ProcessorTopology(cores: 1)
  /// NUMA nodes of processors and memory; of which a kernel learns by ACPI alone.
  package var nodes: NUMALayout?
  /// Which of the host's CPUs their threads run on; nil for all.
  package var affinity: CPUAffinity?
  /// Bytes of the entropy device's in a second; nil for all that the guest asks for.
  package var entropyRate: Int?
  /// The tree's layers, later ones above earlier ones.
  package var reads: [LayerMap] = []
  /// Where the guest's writes go.
  package var writes: [LayerMap] = []
  /// Directories that are in the tree as they are.
  package var shares: [Share] = []
  /// Such that are devices of their own.
  package var sharedDevices: [SharedDevice] = []
  /// Guest paths that the read layers do not show.
  package var hides: [Path] = []
  package var users = IDMap()
  package var groups = IDMap()
  /// Bytes of the DAX window, a multiple of 2 MiB; 0 for none.
  package var window: UInt64 = 0
  /// The name by which the guest mounts the tree.
  package var tag = Array("root".utf8)
  /// The Unix socket that bridges to the guest's vsock.
  package var vsock: Path?
  package var guestCID: UInt64 = 3
  /// The Unix socket that takes orders.
  package var control: Path?
  package var cards: [NetworkCard] = []
  /// What those by streams let through; all if nil.
  package var egress: EgressDescription?
  package var disks: [Disk] = []
  /// Those that the guest has as persistent memory.
  package var mappedDisks: [Disk] = []
  package var hasBalloon = false
  package var pages = MemoryMapping.Pages.transparentHuge
  /// Whether all memory is the guest's from the start.
  package var isPopulated = false
  /// Where the serial ports and the virtio console go.
  package var com1: Output?
  package var com2: Output?
  package var console: Output?
  /// The machine ends when this descriptor reads end of file.
  package var lifeline: Int32?
  /// `cgroup.procs` of the group that it is to run in, open for writing.
  package var controlGroup: Int32?
  package var timings: Int32?
  package var kvm: KVMSource = .path("/dev/kvm")
  package var discovery = Discovery.acpi
  package var transport = Transport.mmio
  /// The places of virtio devices, by name, for those that are not to have the first that is free: with it go window and
  /// interrupt, or the number on the bus.
  package var places: [String: Int] = [:]

  package var confinement = ConfinementMode.off
  /// As root: as whom the monitor runs once it is confined; root if nil.
  package var identity: Identity?

  /// A user and a group of the host's.
  package struct Identity: Equatable, Sendable {
    package var user: UInt32
    package var group: UInt32

    package init(user: UInt32, group: UInt32) {
      self.user = user
      self.group = group
    }
  }

  package init() {}

  var hasTree: Bool { !(reads.isEmpty && writes.isEmpty && shares.isEmpty) }

  /// Trees that the machine serves.
  var treeCount: Int { sharedDevices.count + (hasTree ? 1 : 0) }

  /// More have no interrupt.
  package static let mostSharedDevices = 8

  /// How the guest's kernel learns what the machine consists of.
  package enum Discovery {
    case acpi
    /// Virtio devices by `virtio_mmio.device=` on its command line, processors by an MP table. For kernels without ACPI.
    case commandLine
  }

  /// How the guest's kernel reaches virtio devices (docs/decisions/0027-mmio-by-default.md).
  package enum Transport {
    /// Each a page of registers and an interrupt of its own.
    case mmio
    /// Functions of a PCI bus, with messages for interrupts. The kernel finds the bus by ACPI.
    case pci
  }

  /// Where a console's output goes, and its input comes from.
  package enum Output {
    /// Standard input and output.
    case standard
    /// A file, made if need be; no input.
    case file(Path)
    /// An inherited descriptor, for both.
    case descriptor(Int32)
    /// A Unix socket that somebody listens at, for both.
    case socket(Path)
  }

  package enum KVMSource {
    case path(Path)
    case descriptor(Int32)
  }
}
