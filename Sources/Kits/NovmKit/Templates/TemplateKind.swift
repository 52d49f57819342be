import Host
import Packs

/// What machines have in common that can begin with one template: all that their guests learn of machine and host before they are
/// told which machine they are to be (docs/templates.md).
struct TemplateKind: Sendable {
  /// For novmm to boot such a guest, but for its sockets and for what stands for the trees.
  let arguments: [[UInt8]]
  /// The devices of files besides the tree.
  let shares: [String]
  /// Says all of it.
  let key: String

  /// Files that are looked at are taken for the same as long as nobody has written to them or replaced them.
  ///
  /// - Parameter layout: the places of its devices.
  init(_ machine: MachineDescription, _ layout: DeviceLayout, novmm: String) {
    var bare = machine
    bare.waits = true
    bare.reads = []
    bare.writes = []
    bare.shares = []
    bare.hides = []
    bare.temporaries = []
    bare.users = []
    bare.groups = []
    bare.writeLimit = nil
    bare.entropyRate = nil
    bare.affinity = nil
    bare.confinement = .auto
    bare.verbose = false
    arguments = bare.arguments + layout.arguments
    // In the order in which novmm makes devices of them.
    shares = machine.sharedTags.map { $0 == MachineDescription.filesTag ? "\($0)/0" : $0 }
    let kernel = machine.kernel
    let read = [kernel.image, kernel.setup, kernel.initramfs].compactMap { $0 } + kernel.furtherInitramfs + [novmm]
    let facts = ["novm template 1"] + shares + read.map(Self.identity) + HostFacts.all
    let words: [[UInt8]] = facts.map { Array($0.utf8) } + arguments
    key = String(Digest.of(Array(words.joined(separator: [0]))).description.dropFirst("sha256:".count))
  }

  private static func identity(of path: String) -> String {
    guard let file = try? FileDescriptor.open(path, OpenFlags.path), let status = try? FileCalls.status(file.raw) else {
      return path
    }
    let (written, changed) = (status.modified, status.changed)
    return """
      \(path) \(status.device) \(status.inode) \(status.length) \(written.seconds).\(written.nanoseconds) \
      \(changed.seconds).\(changed.nanoseconds)
      """
  }
}

extension MachineRequest {
  private static let templateMemoryLimit = MemorySize(mebibytes: 64 << 10)

  /// Why a machine like this boots in any case; nil if it need not.
  func templateObstacle(_ machine: MachineDescription) -> String? {
    if rootDisk != nil || !machine.disks.isEmpty || !machine.mappedDisks.isEmpty { return "it has disks" }
    if !machine.cards.isEmpty { return "it has network cards" }
    if machine.reads.isEmpty && machine.writes.isEmpty { return "it has no tree of its own" }
    if hasOwnInit { return "the tree's own init reads the kernel's command line" }
    if serialLog { return "--com1 shows a boot" }
    if secondSerial != nil { return "it has a second serial port" }
    if hugePages == .hugetlbfs || isPrefaulted { return "its memory is to be there from the start" }
    // The kernel notes something of each page of it, so that the state would be more than the store keeps.
    if memory.mebibytes > Self.templateMemoryLimit.mebibytes { return "its memory is too large" }
    if runAs != nil { return "its monitor runs as another user" }
    if !machine.kernel.findsDevicesByACPI { return "its kernel was built without ACPI" }
    return nil
  }
}
