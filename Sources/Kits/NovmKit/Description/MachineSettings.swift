import Boot
import Egress
import FileSystem
import Host

/// What a user asks of a machine, as text: an option's name and what follows it, as on the command line. Bytes that are
/// not UTF-8 are as ``ByteString`` has them.
package struct MachineSettings: Codable, Equatable, Sendable {
  package var read: [String] = []
  package var write: [String] = []
  package var writeLimit: String?
  package var cgroup: String?
  package var runAs: String?
  package var share: [String] = []
  package var volume: [String] = []
  /// As Docker has them; each is a share, a volume or a tmpfs.
  package var mount: [String] = []
  package var tmpfs: [String] = []
  package var shmSize: String?
  /// A container image's name, or in a machine's description its digest; its layers are the first of `pack`.
  package var image: String?
  package var pack: [String] = []
  package var hide: [String] = []
  package var uidmap: [String] = []
  package var gidmap: [String] = []
  /// As it fits the host, if nobody says.
  package var memory: String?
  package var dax = DAXWindow.off.description
  package var cpus = "1"
  package var cpuAffinity: String?
  package var numa: [String] = []
  package var numaDistance: [String] = []
  package var kernel: String?
  /// A path of the host's, or `auto`.
  package var debugInfo: String?
  package var cmdline: [String] = []
  package var hostname = "novm"
  package var `init` = false
  package var com1 = false
  package var com2: String?
  package var net = NetworkChoice.none
  package var allow: [String] = []
  package var deny: [String] = []
  package var publish: [String] = []
  package var nic: [String] = []
  package var noBalloon = false
  package var transport = DeviceTransport.mmio
  package var kaslr = KASLR.on
  package var template: TemplateChoice?
  package var hugePages = HugePages.transparent
  package var confine = MonitorConfinement.auto
  package var prefault = false
  package var entropyRate: String?
  package var disk: [String] = []
  package var rootDisk: String?
  package var pmem: [String] = []
  /// `KEY=VALUE`, for people and their programs.
  package var label: [String] = []

  package init() {}

  package init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    try keys.read(.read, into: &read)
    try keys.read(.write, into: &write)
    try keys.read(.writeLimit, into: &writeLimit)
    try keys.read(.cgroup, into: &cgroup)
    try keys.read(.runAs, into: &runAs)
    try keys.read(.share, into: &share)
    try keys.read(.volume, into: &volume)
    try keys.read(.mount, into: &mount)
    try keys.read(.tmpfs, into: &tmpfs)
    try keys.read(.shmSize, into: &shmSize)
    try keys.read(.image, into: &image)
    try keys.read(.pack, into: &pack)
    try keys.read(.hide, into: &hide)
    try keys.read(.uidmap, into: &uidmap)
    try keys.read(.gidmap, into: &gidmap)
    try keys.read(.memory, into: &memory)
    try keys.read(.dax, into: &dax)
    try keys.read(.cpus, into: &cpus)
    try keys.read(.cpuAffinity, into: &cpuAffinity)
    try keys.read(.numa, into: &numa)
    try keys.read(.numaDistance, into: &numaDistance)
    try keys.read(.kernel, into: &kernel)
    try keys.read(.debugInfo, into: &debugInfo)
    try keys.read(.cmdline, into: &cmdline)
    try keys.read(.hostname, into: &hostname)
    try keys.read(.`init`, into: &`init`)
    try keys.read(.com1, into: &com1)
    try keys.read(.com2, into: &com2)
    try keys.read(.net, into: &net)
    try keys.read(.allow, into: &allow)
    try keys.read(.deny, into: &deny)
    try keys.read(.publish, into: &publish)
    try keys.read(.nic, into: &nic)
    try keys.read(.noBalloon, into: &noBalloon)
    try keys.read(.transport, into: &transport)
    try keys.read(.kaslr, into: &kaslr)
    try keys.read(.template, into: &template)
    try keys.read(.hugePages, into: &hugePages)
    try keys.read(.confine, into: &confine)
    try keys.read(.prefault, into: &prefault)
    try keys.read(.entropyRate, into: &entropyRate)
    try keys.read(.disk, into: &disk)
    try keys.read(.rootDisk, into: &rootDisk)
    try keys.read(.pmem, into: &pmem)
    try keys.read(.label, into: &label)
  }

  /// The same, for any working directory: host paths are absolute.
  package func absolute(_ directory: [UInt8]) throws(NovmError) -> MachineSettings {
    let request = try MachineRequest(self, directory: directory)
    var settings = self
    // What it is now it shall be at each start.
    settings.memory = memory ?? request.memory.argument
    settings.read = request.reads.map { ByteString.string($0.argument) }
    settings.write = request.writes.map { ByteString.string($0.writeArgument) }
    settings.share = request.shares.map { ByteString.string($0.settingsArgument) }
    settings.volume = request.volumes.map(\.argument)
    settings.mount = []
    settings.shmSize = nil
    settings.tmpfs = request.temporaries.map(\.argument)
    settings.disk = request.disks.map { ByteString.string($0.argument) }
    settings.rootDisk = request.rootDisk.map { ByteString.string($0.argument) }
    settings.com2 = request.secondSerial.map { ByteString.string($0.argument) }
    settings.pmem = request.mappedDisks.map { ByteString.string($0.argument) }
    settings.publish = request.publishedPorts.map(\.argument)
    let here = ByteString.string(directory)
    if let kernel, kernel.contains("/"), !kernel.hasPrefix("/") { settings.kernel = "\(here)/\(kernel)" }
    if case .path(let path) = request.debugInformation, !path.hasPrefix("/") { settings.debugInfo = "\(here)/\(path)" }
    return settings
  }
}

extension MachineSettings {
  /// Whether the guest's `/` is the host's, so that a directory has the same name in both.
  package var showsHostTree: Bool {
    guard rootDisk == nil, let request = try? MachineRequest(self, directory: [UInt8(ascii: "/")]) else { return false }
    let root = [UInt8(ascii: "/")]
    let others = request.packs.map(\.guest) + request.shares.map(\.map.guest)
    let reads = request.reads.filter { $0.guest == root }
    return !others.contains(root) && (reads.isEmpty || reads.contains { $0.host == root })
  }
}

/// What `--net` takes.
package enum NetworkChoice: String, Codable, CaseIterable, Sendable {
  case user, none
  /// With the host's loopback behind the gateway.
  case userAndLoopback = "user,loopback"
  /// Nothing passes that is not allowed.
  case closed = "user,closed"
  case closedWithLoopback = "user,loopback,closed"

  /// The gateway stands for the host's loopback.
  package var hasLoopback: Bool { self == .userAndLoopback || self == .closedWithLoopback }
  package var isClosed: Bool { self == .closed || self == .closedWithLoopback }

  /// The same, closed.
  package var closing: NetworkChoice {
    switch self {
    case .user: .closed
    case .userAndLoopback: .closedWithLoopback
    case .closed, .closedWithLoopback, .none: self
    }
  }
}

extension MachineRequest {
  /// Parses settings.
  ///
  /// - Parameter directory: what relative host paths are relative to.
  package init(_ settings: MachineSettings, directory: [UInt8]) throws(NovmError) {
    self.init()
    kernel = Kernel(settings.kernel)
    if let text = settings.debugInfo {
      if text.isEmpty { throw .debugInformation("", .notThere(.notFound)) }
      debugInformation = text == "auto" ? .ofKernel : .path(text)
    }
    if let text = settings.memory {
      guard let memory = MemorySize(text) else { throw .memory(text) }
      self.memory = memory
    } else if !settings.numa.isEmpty {
      memory = try NodeRequest.memory(settings.numa)
    } else {
      let isTakenAtOnce = settings.prefault || settings.hugePages == .hugetlbfs
      memory = isTakenAtOnce ? .modest : .usual(ofHost: HostLimits.usableMemory)
    }
    guard let processors = ProcessorTopology(Array(settings.cpus.utf8)) else { throw .processors(settings.cpus) }
    self.processors = processors
    if let nodes = try NodeRequest(settings.numa, settings.numaDistance, memory, processors) {
      self.nodes = nodes
      // A count says nothing of sockets, and a node has some of its own.
      if !settings.cpus.contains(","), let topology = nodes.layout.topology { self.processors = topology }
    }
    if let text = settings.cpuAffinity {
      guard CPUAffinity(Array(text.utf8)) != nil else { throw .affinity(text) }
      affinity = text
    }
    for map in settings.read { reads.append(try TreeMap(parsing: ByteString.bytes(map), directory: directory)) }
    for map in settings.write { writes.append(try TreeMap(parsingWrite: ByteString.bytes(map), directory: directory)) }
    for share in settings.share { shares.append(try TreeShare(parsing: ByteString.bytes(share), directory: directory)) }
    for map in settings.volume {
      switch try VolumeMap.argument(parsing: ByteString.bytes(map), directory: directory) {
      case .volume(let volume): volumes.append(volume)
      case .share(let share): shares.append(share)
      }
    }
    for text in settings.mount {
      switch try MountArgument(ByteString.bytes(text), directory: directory) {
      case .volume(let volume): volumes.append(volume)
      case .share(let share): shares.append(share)
      case .tmpfs(let temporary): temporaries.append(temporary)
      }
    }
    for text in settings.tmpfs { temporaries.append(try TemporaryMap(parsing: text)) }
    if let text = settings.shmSize {
      guard let size = MemorySize(text), size.mebibytes > 0 else { throw .shmSize(text) }
      temporaries.append(try TemporaryMap(parsing: "/dev/shm:mode=1777,size=\(size.mebibytes)m"))
    }
    for map in settings.pack { packs.append(try PackMap(parsing: ByteString.bytes(map))) }
    hides = settings.hide.map(ByteString.bytes)
    users = try Self.ranges(settings.uidmap, option: "--uidmap")
    groups = try Self.ranges(settings.gidmap, option: "--gidmap")
    guard let window = DAXWindow(settings.dax) else { throw .window(settings.dax) }
    self.window = window
    if let text = settings.writeLimit {
      guard let limit = WriteLimit(text) else { throw .writeLimit(text) }
      if window != .off { throw .writeLimitWithWindow }
      writeLimit = limit
    }
    if let text = settings.runAs {
      guard let choice = RunAs(text) else { throw .runAs(text) }
      guard settings.confine != .off else { throw .runAsUnconfined }
      runAs = choice
    }
    if let text = settings.cgroup {
      guard let group = ControlGroupRequest(text) else { throw .controlGroup(text) }
      controlGroup = group
    }
    hostname = settings.hostname
    commandLine = Array(settings.cmdline.map(ByteString.bytes).joined(separator: [UInt8(ascii: " ")]))
    hasOwnInit = settings.`init`
    serialLog = settings.com1
    if let text = settings.com2 {
      guard let target = SerialTarget(ByteString.bytes(text), directory: directory) else { throw .serial(text) }
      secondSerial = target
    }
    transport = settings.transport
    kaslr = settings.kaslr
    template = settings.template
    hugePages = settings.hugePages
    confinement = settings.confine
    isPrefaulted = settings.prefault
    if let text = settings.entropyRate {
      guard let rate = EntropyRate(text) else { throw .entropyRate(text) }
      entropyRate = rate
    }
    // A page that is set aside and given back may not come again; and what was to be there from the start is to stay.
    hasBalloon = !settings.noBalloon && hugePages != .hugetlbfs && !isPrefaulted
    network = settings.net
    isClosed = settings.net.isClosed || !settings.allow.isEmpty
    for (option, grants) in [("--allow", settings.allow), ("--deny", settings.deny)] {
      for text in grants where !(option == "--allow" && text == "ech") && Grant(Array(text.utf8)) == nil {
        throw .grant(option: option, text)
      }
      if let first = grants.first, !hasUserNetwork { throw .grantWithoutNetwork(option: option, first) }
    }
    allowed = settings.allow
    denied = settings.deny
    for text in settings.publish {
      guard let ports = PublishedPort.ports(text, directory: directory) else { throw .published(text) }
      publishedPorts += ports
    }
    for text in settings.label where text.isEmpty || text.hasPrefix("=") { throw .label(text) }
    for text in settings.nic { cards.append(try CardRequest(text)) }
    if let text = settings.rootDisk {
      rootDisk = try Disk(ByteString.bytes(text), option: "--root-disk", directory: directory)
    }
    for text in settings.disk { disks.append(try Disk(ByteString.bytes(text), directory: directory)) }
    for text in settings.pmem {
      mappedDisks.append(try Disk(ByteString.bytes(text), option: "--pmem", isMapped: true, directory: directory))
    }
  }

  private static func ranges(_ texts: [String], option: String) throws(NovmError) -> [IDRange] {
    var ranges: [IDRange] = []
    for text in texts {
      guard let range = IDRange(text) else { throw .idMap(option: option, ByteString.printable(text)) }
      ranges.append(range)
    }
    return ranges
  }
}
