import Boot
import FileSystem
import Glibc
import Host
import KernelBundle

/// What a user asks of a machine, before anything is looked up.
package struct MachineRequest: Sendable {
  package enum Kernel: Equatable, Sendable {
    case newest
    case named(String)
    /// Where a kernel was built, its image, or the directory of a bundle.
    case path(String)

    /// As `--kernel` takes it: a path has a slash.
    package init(_ argument: String?) {
      switch argument {
      case nil: self = .newest
      case let path? where path.contains("/"): self = .path(path)
      case let name?: self = .named(name)
      }
    }
  }

  package var kernel = Kernel.newest
  package var debugInformation: DebugSource?

  /// Where the kernel's debugging information is.
  package enum DebugSource: Equatable, Sendable {
    /// Where it was built, or where distributions have it.
    case ofKernel
    case path(String)
  }

  package var memory = MemorySize.modest
  package var processors = ProcessorTopology(cores: 1)
  package var nodes: NodeRequest?
  /// As novmm takes it.
  package var affinity: String?
  package var reads: [TreeMap] = []
  package var writes: [TreeMap] = []
  /// As whom its monitor runs, as root.
  package var runAs: RunAs?
  /// The group of its own that its monitor runs in.
  package var controlGroup: ControlGroupRequest?
  /// What each of `writes` and `volumes` may hold, and what nobody keeps.
  package var writeLimit: WriteLimit?
  package var shares: [TreeShare] = []
  package var volumes: [VolumeMap] = []
  package var temporaries: [TemporaryMap] = []
  /// Above all of `reads`.
  package var packs: [PackMap] = []
  /// Absolute paths of the guest that its read layers do not show.
  package var hides: [[UInt8]] = []
  package var users: [IDRange] = []
  package var groups: [IDRange] = []
  package var window = DAXWindow.off
  package var cards: [CardRequest] = []
  package var transport = DeviceTransport.mmio
  package var kaslr = KASLR.on
  package var hasBalloon = true
  package var hugePages = HugePages.transparent
  package var confinement = MonitorConfinement.auto
  package var entropyRate: EntropyRate?
  /// Whether it begins with a template, if anybody says.
  package var template: TemplateChoice?
  package var isPrefaulted = false
  package var disks: [Disk] = []
  /// What the guest's / is on, in place of a tree.
  package var rootDisk: Disk?
  /// Those that the guest has as persistent memory.
  package var mappedDisks: [Disk] = []
  package var network = NetworkChoice.none
  /// What the user network reaches, as novmm takes it.
  package var allowed: [String] = []
  package var denied: [String] = []
  package var isClosed = false
  package var publishedPorts: [PublishedPort] = []
  package var hostname = "novm"
  /// Whether the tree's own init becomes PID 1, with the agent beside it.
  package var hasOwnInit = false
  package var commandLine: [UInt8] = []
  package var serialLog = false
  /// Where the guest's second serial port leads.
  package var secondSerial: SerialTarget?
  package var verbose = false

  package init() {}

  package var hasUserNetwork: Bool { network != .none }

  /// Whether the guest has an address that what comes by a published port can come to.
  package var hasCards: Bool { hasUserNetwork || !cards.isEmpty }

  /// Checks all that can be checked without a machine.
  package func validate(host: HostLimits) throws(NovmError) {
    if memory.mebibytes < Self.leastMemory.mebibytes { throw .memoryTooSmall(memory, least: Self.leastMemory) }
    if memory.mebibytes > host.memory.mebibytes { throw .memoryTooLarge(memory, most: host.memory) }
    let label = hostname.utf8
    guard (1...64).contains(label.count), label.allSatisfy(Self.isHostnameByte) else { throw .hostname(hostname) }
    if runAs != nil, geteuid() != 0 { throw .runAsWithoutRoot }
    try validateCards()
    try validateDisks()
    try validateRootDisk()
    for map in reads { try Self.check(map.host, writable: false, fileAt: map.guest) }
    var written: Set<FileIdentity> = []
    for map in writes {
      try Self.check(map.host, writable: true)
      guard let identity = FileIdentity(Path(map.host)) else { continue }
      if FileIdentity.ofSystem.contains(where: { $0.device == identity.device }) {
        throw .hostPath(map.host, .systemDirectory)
      }
      guard written.insert(identity).inserted else { throw .writtenTwice(map.host) }
      if UserAttributes.areNeeded { try Self.checkAttributes(map.host) }
    }
    var kept: Set<String> = []
    for volume in volumes where !volume.isOwn {
      guard kept.insert(volume.name).inserted else { throw .volumeTwice(volume.name) }
    }
    for share in shares { try Self.check(share) }
    var mapped: Set<[UInt8]> = []
    for guest in writes.map(\.guest) + volumes.map(\.guest) + shares.map(\.map.guest) {
      guard mapped.insert(guest).inserted else { throw .mappedTwice(guest) }
    }
    for guest in (reads + writes + shares.map(\.map)).map(\.guest) + volumes.map(\.guest) + packs.map(\.guest)
    where Self.isOfKernel(guest) { throw .mappedUnseen(guest) }
    for path in hides {
      let names = path.split(separator: UInt8(ascii: "/"))
      guard path.first == UInt8(ascii: "/"), let last = names.last, last != [0x2e], !names.contains([0x2e, 0x2e]) else {
        throw .hiddenPath(path)
      }
    }
    if geteuid() != 0 {
      if !users.isEmpty { throw .idMapWithoutRoot(option: "--uidmap") }
      if !groups.isEmpty { throw .idMapWithoutRoot(option: "--gidmap") }
    }
  }

  private func validateCards() throws(NovmError) {
    let count = cards.count + (hasUserNetwork ? 1 : 0)
    if count > NetworkCard.limit { throw .tooManyCards(count) }
    if let address = NetworkCard.repeatedAddress(cards.map { $0.card }) { throw .repeatedAddress(address) }
    if hasUserNetwork, UserNetwork.find() == nil { throw .passtMissing }
  }

  private func validateDisks() throws(NovmError) {
    if allDisks.count > Disk.limit { throw .tooManyDisks(allDisks.count) }
    if let serial = Disk.repeatedSerial(allDisks) { throw .repeatedSerial(serial) }
    if let name = Disk.repeatedName(allDisks) { throw .repeatedDiskName(name) }
  }

  /// Checks that the files of disks are there, which only the machine itself opens.
  package func validateFiles() throws(NovmError) {
    for (option, disks) in [("--root-disk", rootDisk.map { [$0] } ?? []), ("--disk", disks), ("--pmem", mappedDisks)] {
      for case .file(let path) in disks.map(\.source) where FileIdentity(path) == nil && Errno.current == .notFound {
        throw .diskMissing(option: option, path.bytes)
      }
    }
  }

  /// Checks the directories of novm's own that the guest will write to.
  ///
  /// - Parameters: as of `compose`.
  func validateStore(scratch: String, volumes: [String]) throws(NovmError) {
    guard UserAttributes.areNeeded else { return }
    for path in (writesToScratch ? [scratch] : []) + volumes {
      do throws(Errno) {
        if try UserAttributes.areKept(in: Path(path)) { continue }
      } catch {
        throw .system(doing: "open", path: path, error)
      }
      throw .storeWithoutAttributes(path)
    }
  }

  /// What the guest needs drivers for besides.
  package var initramfsParts: [InitramfsPart] {
    var parts: [InitramfsPart] = []
    if transport == .pci { parts.append(.pci) }
    if hasCards { parts.append(.network) }
    if hasBalloon { parts.append(.balloon) }
    if !allDisks.isEmpty { parts.append(.disk) }
    if rootDisk != nil { parts.append(.ext4) }
    if !mappedDisks.isEmpty { parts.append(.pmem) }
    return parts
  }

  /// Whether nobody keeps what the guest writes to its `/`.
  private var writesToScratch: Bool {
    let root = Array("/".utf8)
    return rootDisk == nil && !writes.contains { $0.guest == root } && !volumes.contains { $0.guest == root }
      && !shares.contains { $0.map.guest == root }
  }

  /// The machine for this request.
  ///
  /// - Parameters:
  ///   - scratch: the directory for what the guest writes and nobody keeps.
  ///   - volumes: the directories of `volumes`, one each.
  ///   - packs: the trees of `packs`, one each.
  ///   - userCard: the card of its user network, if it has one.
  ///   - ledIn: those of the published ports that come by it.
  package func compose(
    kernel: KernelFiles, scratch: String, volumes: [String] = [], packs: [String] = [], userCard: CardRequest? = nil,
    ledIn: [PublishedPort] = []
  ) -> MachineDescription {
    var machine = rootDisk.map { onDisk($0, kernel) } ?? onTree(kernel, scratch, volumes, packs)
    machine.hides = hides
    machine.temporaries = temporaries
    machine.hasOwnInit = hasOwnInit
    machine.cards = (userCard.map { [$0] } ?? []) + cards
    if let userCard, isClosed || !denied.isEmpty {
      let words = Array((userCard.addresses ?? []).prefix(1))
      let resolvers = userCard.resolvers.map { "dns=\($0)" }
      let ports = PublishedPort.datagramPorts(of: ledIn).map { "udp=\($0)" }
      machine.egress = (words + resolvers + ports + (isClosed ? ["closed"] : [])).joined(separator: ",")
      machine.allowed = allowed
      machine.denied = denied
    }
    // The guest knows its cards by their addresses.
    for index in machine.cards.indices where machine.cards[index].card.address == nil {
      machine.cards[index].card.address = .random()
    }
    machine.disks = allDisks
    machine.mappedDisks = mappedDisks
    machine.transport = transport
    machine.kaslr = kaslr
    machine.secondSerial = secondSerial
    machine.hasBalloon = hasBalloon
    machine.hugePages = hugePages
    machine.confinement = confinement
    machine.writeLimit = writeLimit
    machine.entropyRate = entropyRate
    machine.isPrefaulted = isPrefaulted
    machine.window = window
    machine.affinity = affinity
    machine.nodes = nodes
    machine.users = users
    machine.groups = groups
    return machine
  }

  /// Of a tree.
  private func onTree(
    _ kernel: KernelFiles, _ scratch: String, _ volumes: [String], _ packs: [String]
  ) -> MachineDescription {
    let root = Array("/".utf8)
    var layers = reads
    for (pack, tree) in zip(self.packs, packs) {
      var layer = TreeMap(guest: pack.guest, host: Array(tree.utf8))
      layer.isPack = true
      layers.append(layer)
    }
    let kept = zip(self.volumes, volumes).map { TreeMap(guest: $0.guest, host: Array($1.utf8)) }
    if !(layers + shares.map(\.map)).contains(where: { $0.guest == root }) {
      layers.insert(TreeMap(guest: "/", host: "/"), at: 0)
    }
    if let modules = kernel.modules {
      layers.append(TreeMap(guest: "/lib/modules/\(kernel.release)", host: modules))
    }
    for place in kernel.debugInformation?.places ?? [] {
      layers.append(TreeMap(guest: Array(place.guest.utf8), host: ByteString.bytes(place.host)))
    }
    var changes = writes + kept
    if writesToScratch { changes.insert(TreeMap(guest: "/", host: scratch), at: 0) }

    var resolved: [TreeMap] = []
    for map in layers.map(\.located) + shares.map(\.map.located) + changes {
      var map = map
      map.guest = GuestPaths(layers: resolved).place(of: map)
      resolved.append(map)
    }
    var machine = MachineDescription(
      kernel: kernel, memory: memory, processors: processors, reads: Array(resolved[..<layers.count]),
      writes: Array(resolved[(layers.count + shares.count)...]), hostname: hostname, commandLine: commandLine,
      serialLog: serialLog, verbose: verbose)
    machine.shares = zip(shares, resolved[layers.count...]).map { share, map in
      var placed = share
      placed.map = map
      return placed
    }
    machine.separateShares()
    machine.separateFiles()
    return machine
  }

  /// Below this no kernel of a distribution gets to its init. What a certain kernel needs, novmm tells.
  package static let leastMemory = MemorySize(mebibytes: 32)

  /// Whether the guest's kernel has a file system of its own at a path, or above it, that hides the tree's.
  private static func isOfKernel(_ path: [UInt8]) -> Bool {
    guard let first = path.split(separator: UInt8(ascii: "/")).first else { return false }
    return ["dev", "proc", "sys"].contains { first.elementsEqual($0.utf8) }
  }

  private static func isHostnameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
      true
    default: false
    }
  }

  private static func checkAttributes(_ path: [UInt8]) throws(NovmError) {
    do throws(Errno) {
      if try UserAttributes.areKept(in: Path(path)) { return }
    } catch {
      throw .hostPath(path, .other(error))
    }
    throw .hostPath(path, .withoutAttributes)
  }

  private static func check(_ share: TreeShare) throws(NovmError) {
    let path = share.map.host
    do throws(NovmError) {
      try check(path, writable: !share.isReadOnly, fileAt: share.map.guest)
    } catch {
      // A colon may be of the path, and a comma not behind one.
      let hasOptions = path.indices.contains { end in
        [UInt8(ascii: ":"), UInt8(ascii: ",")].contains(path[end]) && FileIdentity(Path(Array(path[..<end]))) != nil
      }
      guard error == .hostPath(path, .missing), hasOptions else { throw error }
      throw .hostPath(path, .noShareOptions)
    }
  }

  /// What is meant where `HOST:GUEST` stands for a directory, and HOST is there.
  private static func docker(_ path: [UInt8]) -> HostPathFault? {
    let mark = Array(":/".utf8)
    guard let place = path.indices.last(where: { path[$0...].starts(with: mark) }) else { return nil }
    let host = Array(path[..<place])
    let guest = path[(place + 1)...].prefix { $0 != mark[0] }
    return FileIdentity(Path(host)) == nil ? nil : .asDocker(host: host, guest: Array(guest))
  }

  /// - Parameter fileAt: where the guest is to have it, if it may be a single file.
  private static func check(_ path: [UInt8], writable: Bool, fileAt guest: [UInt8]? = nil) throws(NovmError) {
    var status = stat()
    let name = path + [0]
    let fault = unsafe name.withUnsafeBytes { bytes -> HostPathFault? in
      let name = unsafe bytes.baseAddress!.assumingMemoryBound(to: CChar.self)
      guard unsafe stat(name, &status) == 0 else {
        switch Errno.current.code {
        case ENOENT: return docker(path) ?? .missing
        case ENOTDIR: return .notADirectory
        case EACCES: return .unreadable
        case let code: return .other(Errno(code))
        }
      }
      let isFile = status.st_mode & S_IFMT == S_IFREG
      guard status.st_mode & S_IFMT == S_IFDIR || isFile && guest != nil else {
        return isFile ? .fileToWrite : .notADirectory
      }
      if isFile, guest == [UInt8(ascii: "/")] { return .fileAtRoot }
      let search = isFile ? 0 : X_OK
      if unsafe access(name, R_OK | search) != 0 { return .unreadable }
      if writable, unsafe access(name, W_OK | search) != 0 { return isFile ? .unwritableFile : .unwritable }
      return nil
    }
    if let fault { throw .hostPath(path, fault) }
  }
}

/// What this host has to give.
package struct HostLimits: Sendable {
  package var memory: MemorySize

  package init(memory: MemorySize) { self.memory = memory }

  /// Memory and swap, and no more than a machine can have.
  package static var current: HostLimits {
    let most = 256 << 10
    return HostLimits(memory: MemorySize(mebibytes: HostMemory.size.map { min(most, Int($0 >> 20)) } ?? most))
  }

  /// MiB of RAM that processes like this one can have: the host's, or what the control groups that it is in may (cgroups(7),
  /// `memory.max`).
  static var usableMemory: Int {
    var most = Int.max
    for line in ((try? SystemFile.read("/proc/self/cgroup")) ?? "").split(separator: "\n") where line.hasPrefix("0::/")
    {
      var path = "/sys/fs/cgroup" + (line.dropFirst(3) == "/" ? "" : String(line.dropFirst(3)))
      while path.hasPrefix("/sys/fs/cgroup") {
        if let text = try? SystemFile.read(path + "/memory.max"), let bytes = Int(text.filter { $0 != "\n" }) {
          most = min(most, bytes >> 20)
        }
        path = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
      }
    }
    return min(most, (sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))) >> 20)
  }
}

/// Small files of /proc and /sys.
enum SystemFile {
  static func read(_ path: String) throws(Errno) -> String {
    let file = try FileDescriptor.open(path, O_RDONLY)
    var contents: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = try file.read(into: &buffer)
      if count == 0 { return String(decoding: contents, as: UTF8.self) }
      contents += buffer[..<count]
    }
  }

  /// As much as one read gives: the first page at least of what the kernel makes line by line.
  static func beginning(_ path: String) -> String {
    guard let file = try? FileDescriptor.open(path, O_RDONLY) else { return "" }
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = (try? file.read(into: &buffer)) ?? 0
    return String(decoding: buffer[..<count], as: UTF8.self)
  }
}
