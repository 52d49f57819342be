import Boot
import FileSystem
import Host
import KernelBundle

/// Everything that makes one machine, as `novmm` is told it.
package struct MachineDescription: Sendable {
  package var kernel: KernelFiles
  package var memory: MemorySize
  package var processors: ProcessorTopology
  package var nodes: NodeRequest?
  /// As novmm takes it.
  package var affinity: String?
  package var reads: [TreeMap]
  package var writes: [TreeMap]
  package var shares: [TreeShare] = []
  package var temporaries: [TemporaryMap] = []
  /// Paths that the read layers do not show.
  package var hides: [[UInt8]] = []
  package var window = DAXWindow.off
  package var users: [IDRange] = []
  package var groups: [IDRange] = []
  package var cards: [CardRequest] = []
  package var transport = DeviceTransport.mmio
  package var kaslr = KASLR.on
  /// What the first card lets through, if not all, as novmm takes it.
  package var egress: String?
  package var allowed: [String] = []
  package var denied: [String] = []
  package var hasBalloon = true
  package var hugePages = HugePages.transparent
  package var writeLimit: WriteLimit?
  package var confinement = MonitorConfinement.auto
  package var entropyRate: EntropyRate?
  package var isPrefaulted = false
  package var disks: [Disk] = []
  /// Those that the guest has as persistent memory.
  package var mappedDisks: [Disk] = []
  /// Whether the guest's / is on the first of the disks, and there is no tree.
  package var hasRootDisk = false
  package var hostname: String
  /// Whether the tree's own init becomes PID 1.
  package var hasOwnInit = false
  /// What the user adds to the kernel's command line.
  package var commandLine: [UInt8]
  /// Whether the kernel says all that it has to say while it boots.
  package var serialLog: Bool
  package var secondSerial: SerialTarget?
  package var verbose: Bool
  /// Whether the guest waits before it mounts anything, to be told which machine it is to be.
  var waits = false

  package init(
    kernel: KernelFiles, memory: MemorySize, processors: ProcessorTopology, reads: [TreeMap], writes: [TreeMap],
    hostname: String,
    commandLine: [UInt8] = [], serialLog: Bool = false, verbose: Bool = false
  ) {
    self.kernel = kernel
    self.memory = memory
    self.processors = processors
    self.reads = reads
    self.writes = writes
    self.hostname = hostname
    self.commandLine = commandLine
    self.serialLog = serialLog
    self.verbose = verbose
  }

  /// The tag of the machine's tree.
  static let tag = "root"

  /// The tag of the kernel's modules where there is no tree for them.
  static let modulesTag = "modules"

  /// What the kernel and `noguest` read (docs/architecture.md, "The kernel command line").
  package var kernelCommandLine: [UInt8] {
    let words = waits ? ["novm.wait"] + sharedWords + logWords : rootWords + sharedWords + deviceWords + logWords
    let ours = Array(words.joined(separator: " ").utf8)
    return commandLine.isEmpty ? ours : ours + [UInt8(ascii: " ")] + commandLine
  }

  /// What a guest that waits is told of it later: what is this machine's own.
  var beginningWords: [[UInt8]] {
    (rootWords + deviceWords).joined(separator: " ").utf8.split(separator: UInt8(ascii: " ")).map { Array($0) }
  }

  private var rootWords: [String] {
    let root =
      hasRootDisk
      ? ["root=/dev/vda", "rootfstype=ext4", disks.first?.isReadOnly == true ? "ro" : "rw"]
      : ["root=\(Self.tag)", "rootfstype=virtiofs", "rw"]
    return root + ["hostname=\(hostname)"]
  }

  private var sharedWords: [String] {
    // Distributions have the kernel test each cipher at each boot, which takes longer than the rest of the boot.
    // `--cmdline cryptomgr.notests=0` has the tests back; with `fips=1` they run in any case.
    ["panic=-1", "cryptomgr.notests"]
  }

  private var logWords: [String] {
    // With `quiet` errors and a panic only, which RunningMachine keeps.
    serialLog ? ["console=ttyS0"] : ["console=ttyS0", "quiet"]
  }

  private var deviceWords: [String] {
    // On a disk, shares are mounted over whatever there is.
    let kept = (hasRootDisk ? [] : Self.freshDirectories.filter(isMapped)) + Self.ownFiles.filter(isMappedFile)
    var words = cards.map { $0.kernelArgument }
    words += disks.compactMap(Self.link)
    words += mappedDisks.indices.map { "novm.pmem=\($0)" + (mappedDisks[$0].isReadOnly ? ",ro" : "") }
    if !kept.isEmpty { words.append("novm.keep=" + kept.joined(separator: ",")) }
    // Files may lie in shares that are directories.
    for share in shares.filter({ !$0.map.isFile }) + shares.filter(\.map.isFile) {
      guard let tag = share.tag else { continue }
      let isModules = tag == Self.modulesTag
      // What is mounted for reading only takes no stamps; novmm refuses all else.
      let isReadOnly = share.isReadOnly && !share.isWatched
      let option = isModules ? "novm.modules" : isReadOnly ? "novm.mount-ro" : "novm.mount"
      words.append("\(option)=\(tag):\(String(decoding: share.map.guest, as: UTF8.self))")
    }
    words += temporaries.map { "novm.tmpfs=\($0.argument)" }
    if hasOwnInit { words += initArguments }
    return words
  }

  /// By which `noguest` makes the link to a disk.
  private static func link(to disk: Disk) -> String? {
    guard let name = disk.name, let serial = disk.serial else { return nil }
    return "novm.disk=\(serial)=\(name)"
  }

  /// What a tree's own init is to know.
  private var initArguments: [String] {
    // Its files have a name for the host, too (kernel-command-line(7)).
    var words = ["init=/sbin/init", "systemd.hostname=\(hostname)"]
    // Nobody is there to log in (systemd-getty-generator(8)).
    if !serialLog { words.append("systemd.getty_auto=no") }
    // The host's own tree names the host's disks, which would be waited for.
    let root = Array("/".utf8)
    if reads.contains(where: { $0.guest == root && $0.host == root }) { words.append("fstab=no") }
    return words
  }

  /// Makes devices of their own of shares that the host may change: in the tree, such a share would have the guest's
  /// kernel tell of each open and hold no write back, everywhere. And of those for reading only, so that the guest's
  /// kernel itself refuses what would change them (docs/decisions/0017-shares-are-devices.md).
  ///
  /// A share stays in the tree if another map lies in it, or its path is more than the kernel command line can carry.
  mutating func separateShares() {
    // A file can be put over one that is there.
    let maps = (reads + writes + shares.map(\.map).filter { !isOverFile($0) }).map(\.guest)
    var count = 0
    let most = Self.mostSharedDevices - (shares.contains { $0.map.isFile } ? 1 : 0)
    for index in shares.indices where !shares[index].map.isFile {
      let guest = shares[index].map.guest
      let isAlone = maps.filter { $0 == guest || $0.starts(with: guest + [UInt8(ascii: "/")]) }.count == 1
      let isSlowOrReadOnly = shares[index].caching != .always || shares[index].isReadOnly
      guard isSlowOrReadOnly, guest.count > 1, isAlone, count < most, Self.isCarried(guest) else {
        continue
      }
      shares[index].tag = "share\(count)"
      count += 1
    }
  }

  /// Whether a shared file has a file's place in a shared directory.
  private func isOverFile(_ file: TreeMap) -> Bool {
    guard file.isFile else { return false }
    return shares.contains { share in
      !share.map.isFile && share.map.guest.count > 1 && file.isBeneath(share.map.guest)
        && TreeMap.isFile(share.map.host + file.guest[share.map.guest.count...])
    }
  }

  /// Makes one device of all shared files. The guest's agent puts each over its place, for which the tree has the file as it is, for
  /// reading: so nothing is made there.
  mutating func separateFiles() {
    var count = 0
    let apart = Self.freshDirectories.filter { !isMapped($0) }
    for index in shares.indices where shares[index].map.isFile {
      let map = shares[index].map
      guard Self.isCarried(map.guest) else { continue }
      let isOverFile = isOverFile(map)
      shares[index].tag = "\(Self.filesTag)/\(count)"
      count += 1
      // In what is the guest's own, the agent makes a place.
      let isApart = apart.contains { map.isBeneath(Array($0.utf8)) }
      if !hasRootDisk, !isOverFile, !isApart { reads.append(map) }
    }
  }

  /// The tag of the device of shared files.
  static let filesTag = "files"

  /// The devices of files besides the tree, in novmm's order; all shared files are one.
  var sharedTags: [String] {
    var tags: [String] = []
    for tag in shares.compactMap(\.tag) {
      let device = String(tag.prefix { $0 != "/" })
      if !tags.contains(device) { tags.append(device) }
    }
    return tags
  }

  /// How many novmm has interrupts for.
  static let mostSharedDevices = 8

  /// Whether a kernel command line can carry a path.
  private static func isCarried(_ path: [UInt8]) -> Bool { path.count <= 128 && path.allSatisfy(isPlain) }

  /// Whether a byte means itself in a kernel command line.
  static func isPlain(_ byte: UInt8) -> Bool {
    (0x21...0x7e).contains(byte) && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
  }

  /// Where `noguest` mounts file systems of the guest's own over the tree, unless told to keep what is there.
  private static let freshDirectories = ["/tmp", "/run"]

  /// Which files `noguest` mounts over those of the tree, unless told to keep them.
  private static let ownFiles = ["/etc/hosts", "/etc/resolv.conf"]

  /// Whether a layer is mapped to the guest's `path` or below it, other than by the agent's hand.
  private func isMapped(_ path: String) -> Bool {
    (reads + writes + shares.map(\.map).filter { !$0.isFile || !Self.isCarried($0.guest) }).contains {
      $0.isBeneath(Array(path.utf8))
    }
  }

  private func isMappedFile(_ path: String) -> Bool {
    (reads + shares.map(\.map)).contains { $0.isFile && $0.guest == Array(path.utf8) }
  }

  /// The command line of `novmm`, without what only the launcher knows: sockets and descriptors.
  package var arguments: [[UInt8]] { bootArguments + machineArguments }

  /// The same for a machine that begins with a state.
  func arguments(restoring state: String) -> [[UInt8]] {
    [Array("--restore".utf8), Array(state.utf8)] + machineArguments
  }

  private var bootArguments: [[UInt8]] {
    var arguments = ByteArguments()
    arguments.append("--kernel", kernel.image)
    if let setup = kernel.setup { arguments.append("--setup", setup) }
    if let initramfs = kernel.initramfs { arguments.append("--initramfs", initramfs) }
    for archive in kernel.furtherInitramfs { arguments.append("--initramfs", archive) }
    arguments.append("--cmdline", kernelCommandLine)
    if kaslr != .on { arguments.append("--kaslr", kaslr.rawValue) }
    return arguments.values
  }

  private var machineArguments: [[UInt8]] {
    var arguments = ByteArguments()
    arguments.append("--memory", String(memory.mebibytes))
    arguments.append("--cpus", processors.description)
    for (name, value) in nodes?.arguments ?? [] { arguments.append(name, value) }
    if let affinity { arguments.append("--cpu-affinity", affinity) }
    arguments.append("--tag", Self.tag)
    for map in reads { arguments.append(map.isPack ? "--pack" : "--read", map.argument) }
    for map in writes { arguments.append("--write", map.writeArgument) }
    if let writeLimit { arguments.append("--write-limit", writeLimit.description) }
    for share in shares { arguments.append("--share", share.argument) }
    for path in hides { arguments.append("--hide", path) }
    if window != .off { arguments.append("--dax", window.description) }
    if hugePages != .transparent { arguments.append("--huge-pages", hugePages.rawValue) }
    if confinement != .auto { arguments.append("--confine", confinement.rawValue) }
    if let entropyRate { arguments.append("--entropy-rate", String(entropyRate.bytes)) }
    if isPrefaulted { arguments.append("--prefault") }
    if hasBalloon { arguments.append("--balloon") }
    for disk in disks { arguments.append("--disk", disk.argument) }
    for disk in mappedDisks { arguments.append("--pmem", disk.argument) }
    for card in cards { arguments.append("--nic", card.card.argument) }
    if let egress { arguments.append("--egress", egress) }
    for grant in allowed { arguments.append("--allow", grant) }
    for grant in denied { arguments.append("--deny", grant) }
    for range in users { arguments.append("--uidmap", range.description) }
    for range in groups { arguments.append("--gidmap", range.description) }
    if let secondSerial { arguments.append("--com2", secondSerial.argument) }
    if transport != .mmio { arguments.append("--transport", transport.rawValue) }
    if !kernel.findsDevicesByACPI { arguments.append("--discovery", "cmdline") }
    if verbose { arguments.append("--verbose") }
    return arguments.values
  }
}

/// The files of a kernel bundle that `novmm` opens.
package struct KernelFiles: Equatable, Sendable {
  package var name: String
  package var release: String
  package var image: String
  package var setup: String?
  package var initramfs: String?
  /// What drivers of the machine's devices need besides.
  package var furtherInitramfs: [String]
  package var modules: String?
  /// Otherwise it takes them from its command line.
  package var findsDevicesByACPI: Bool
  /// What the guest's tools are to find of it.
  package var debugInformation: DebugInformation?

  package init(
    name: String, release: String, image: String, setup: String? = nil, initramfs: String? = nil,
    furtherInitramfs: [String] = [], modules: String? = nil, findsDevicesByACPI: Bool = true
  ) {
    self.name = name
    self.release = release
    self.image = image
    self.setup = setup
    self.initramfs = initramfs
    self.furtherInitramfs = furtherInitramfs
    self.modules = modules
    self.findsDevicesByACPI = findsDevicesByACPI
  }
}

/// Builds an argument vector of bytes.
struct ByteArguments {
  private(set) var values: [[UInt8]] = []

  mutating func append(_ name: String) { values.append(Array(name.utf8)) }

  mutating func append(_ name: String, _ value: String) { append(name, Array(value.utf8)) }

  mutating func append(_ name: String, _ value: [UInt8]) {
    append(name)
    values.append(value)
  }
}
