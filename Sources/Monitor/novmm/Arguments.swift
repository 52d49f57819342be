import Boot
import FileSystem
import Glibc
import Host
import Machine

/// What the command line asks for.
enum Request {
  case run(MachineDescription, isVerbose: Bool)
  case check(MachineDescription.KVMSource)
  case help
  case version
}

/// A word of the command line that makes no sense, in words for whoever typed it.
struct UsageError: Error {
  let message: String
}

/// Reads the command line. Options take their value as the next word or after `=`. Words are bytes: they hold paths.
struct Arguments {
  private var words: ArraySlice<[UInt8]>

  /// - Parameter words: without the program's name.
  init(_ words: [[UInt8]]) { self.words = words[...] }

  mutating func parse() throws(UsageError) -> Request {
    var machine = MachineDescription()
    machine.confinement = .auto
    var window = Window.off
    var writeLimit: WriteLimit?
    var isVerbose = false
    var isCheck = false
    var hasKASLR = false
    var nodes: [NUMANode] = []
    var distances: [NUMADistance] = []
    var allowed: [[UInt8]] = []
    var denied: [[UInt8]] = []
    while let word = words.popFirst() {
      let (name, inline) = split(word)
      switch name {
      case "--help", "-h": return .help
      case "--version": return .version
      case "--check": isCheck = true
      case "--verbose": isVerbose = true
      case "--restore": machine.state = Path(try value(name, inline))
      case "--keep-identity": machine.keepsIdentity = true
      case "--kernel": machine.kernel = Path(try value(name, inline))
      case "--setup": machine.setup = Path(try value(name, inline))
      case "--initramfs": machine.initramfs.append(Path(try value(name, inline)))
      case "--cmdline": machine.commandLine = try value(name, inline)
      case "--kaslr": (machine.isRandomised, hasKASLR) = (try isOn(name, inline), true)
      case "--memory": machine.memory = try number(name, inline, 1...(256 << 10)) << 20
      case "--cpus": machine.processors = try processors(name, inline)
      case "--numa": nodes.append(try node(name, inline))
      case "--numa-distance": distances.append(try distance(name, inline))
      case "--cpu-affinity": machine.affinity = try affinity(name, inline)
      case "--read": machine.reads.append(try map(name, inline))
      case "--pack":
        var pack = try map(name, inline)
        pack.isPack = true
        machine.reads.append(pack)
      case "--write": machine.writes.append(try writeMap(name, inline))
      case "--write-limit": writeLimit = try self.writeLimit(name, inline)
      case "--share": try share(name, inline, &machine)
      case "--hide": machine.hides.append(Path(try value(name, inline)))
      case "--uidmap": machine.users.ranges.append(try idRange(name, inline))
      case "--gidmap": machine.groups.ranges.append(try idRange(name, inline))
      case "--dax": window = try self.window(name, inline)
      case "--tag": machine.tag = try tag(name, inline)
      case "--control": machine.control = Path(try value(name, inline))
      case "--vsock": (machine.vsock, machine.guestCID) = try vsock(name, inline, machine.guestCID)
      case "--nic": machine.cards.append(try card(name, inline))
      case "--egress": machine.egress = try egress(name, inline)
      case "--allow": allowed.append(try value(name, inline))
      case "--deny": denied.append(try value(name, inline))
      case "--huge-pages": machine.pages = try pages(name, inline)
      case "--prefault": machine.isPopulated = true
      case "--run-as": machine.identity = try identity(name, inline)
      case "--confine": machine.confinement = try confinement(name, inline)
      case "--entropy-rate": machine.entropyRate = try entropyRate(name, inline)
      case "--balloon": machine.hasBalloon = true
      case "--disk": machine.disks.append(try disk(name, inline))
      case "--pmem": machine.mappedDisks.append(try disk(name, inline, isMapped: true))
      case "--com1": machine.com1 = try output(name, inline)
      case "--com2": machine.com2 = try output(name, inline)
      case "--console": machine.console = try output(name, inline)
      case "--cgroup": machine.controlGroup = try descriptor(name, inline)
      case "--lifeline": machine.lifeline = try descriptor(name, inline)
      case "--timings": machine.timings = try descriptor(name, inline)
      case "--kvm": machine.kvm = try kvm(name, inline)
      case "--discovery": machine.discovery = try discovery(name, inline)
      case "--transport": machine.transport = try transport(name, inline)
      case "--place":
        let (device, place) = try place(name, inline)
        machine.places[device] = place
      default: throw UsageError(message: "unknown option \(String(printable: word)); novmm --help lists them")
      }
    }
    if let device = machine.sharedDevices.first(where: { $0.tag == machine.tag }) {
      throw refusal("--share", device.tag, "the tree has this tag; give one of them another")
    }
    if machine.transport == .pci, machine.discovery == .commandLine {
      throw UsageError(message: "--transport pci: a kernel finds the bus by ACPI, so not with --discovery cmdline")
    }
    machine.nodes = try layout(nodes, distances, machine)
    machine.window = window.size(memory: machine.memory)
    try grant(allowed, denied, &machine)
    if let writeLimit {
      // What the guest writes to memory nobody counts.
      if machine.window > 0 { throw UsageError(message: "--write-limit: not with --dax") }
      for index in machine.writes.indices { machine.writes[index].limit = writeLimit }
    }
    if machine.identity != nil {
      if machine.confinement == .off { throw UsageError(message: "--run-as: not with --confine off") }
      if FileCalls.effectiveUser != 0 { throw UsageError(message: "--run-as: only root can become another user") }
    }
    try check(machine.cards)
    try check(machine.disks)
    if isCheck { return .check(machine.kvm) }
    guard machine.state == nil else {
      guard machine.kernel.isEmpty, machine.setup == nil, machine.initramfs.isEmpty, machine.commandLine.isEmpty,
        !hasKASLR, machine.nodes == nil
      else {
        throw UsageError(
          message: "--restore: has its kernel in memory; "
            + "leave out --kernel, --setup, --initramfs, --cmdline, --kaslr and --numa")
      }
      guard machine.pages != .reservedHuge else {
        throw UsageError(message: "--restore: a file is no huge pages; leave out --huge-pages hugetlbfs")
      }
      return .run(machine, isVerbose: isVerbose)
    }
    guard !machine.keepsIdentity else { throw UsageError(message: "--keep-identity: only with --restore") }
    guard !machine.kernel.isEmpty else {
      throw UsageError(message: "no kernel: give --kernel FILE, a vmlinux or a bzImage, or --restore FILE")
    }
    return .run(machine, isVerbose: isVerbose)
  }

  private func split(_ word: [UInt8]) -> (name: String, value: [UInt8]?) {
    guard word.starts(with: "--".utf8), let equals = word.firstIndex(of: UInt8(ascii: "=")) else {
      return (String(printable: word), nil)
    }
    return (String(printable: Array(word[..<equals])), Array(word[(equals + 1)...]))
  }

  private mutating func value(_ name: String, _ inline: [UInt8]?) throws(UsageError) -> [UInt8] {
    guard let value = inline ?? words.popFirst() else { throw UsageError(message: "\(name) wants a value") }
    return value
  }

  private func refusal(_ name: String, _ value: [UInt8], _ mend: String) -> UsageError {
    UsageError(message: "\(name) \(String(printable: value)): \(mend)")
  }

  private mutating func number(
    _ name: String, _ inline: [UInt8]?, _ range: ClosedRange<UInt64>
  ) throws(UsageError) -> UInt64 {
    let value = try value(name, inline)
    guard let number = UInt64(String(printable: value)), range.contains(number) else {
      throw refusal(name, value, "give a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  private mutating func isOn(_ name: String, _ inline: [UInt8]?) throws(UsageError) -> Bool {
    let value = try value(name, inline)
    switch String(printable: value) {
    case "on": return true
    case "off": return false
    default: throw refusal(name, value, "give on or off")
    }
  }

  private mutating func entropyRate(_ name: String, _ inline: [UInt8]?) throws(UsageError) -> Int {
    let value = try value(name, inline)
    guard let rate = EntropyRate(String(printable: value)) else { throw refusal(name, value, EntropyRate.mend) }
    return rate.bytes
  }

  private mutating func confinement(_ name: String, _ inline: [UInt8]?) throws(UsageError) -> ConfinementMode {
    let value = try value(name, inline)
    guard let mode = ConfinementMode(rawValue: String(printable: value)) else {
      throw refusal(name, value, "give auto, require or off")
    }
    return mode
  }

  private mutating func identity(
    _ name: String, _ inline: [UInt8]?
  ) throws(UsageError) -> MachineDescription.Identity {
    let value = try value(name, inline)
    let numbers = String(printable: value).split(separator: ":", omittingEmptySubsequences: false).map { UInt32($0) }
    // -1 is none.
    guard (1...2).contains(numbers.count), let user = numbers[0], let group = numbers[numbers.count - 1],
      user != 0, user != .max, group != 0, group != .max
    else { throw refusal(name, value, "give UID or UID:GID, neither of them 0") }
    return MachineDescription.Identity(user: user, group: group)
  }

  private mutating func processors(_ name: String, _ inline: [UInt8]?) throws(UsageError) -> ProcessorTopology {
    let value = try value(name, inline)
    guard let topology = ProcessorTopology(value) else {
      throw refusal(name, value, "give a count from 1 to 254, or one that sockets=, cores= and threads= make up")
    }
    return topology
  }

  private mutating func node(_ name: String, _ inline: [UInt8]?) throws(UsageError) -> NUMANode {
    let value = try value(name, inline)
    guard let node = NUMANode(value) else { throw refusal(name, value, "give MIB[,cpus=FIRST-LAST], for each node") }
    return node
  }

  private mutating func distance(_ name: String, _ inline: [UInt8]?) throws(UsageError) -> NUMADistance {
    let value = try value(name, inline)
    guard let distance = NUMADistance(value) else {
      throw refusal(name, value, "give NODE,NODE=N from 11 to 255; 10 is what each is from itself, 20 the default")
    }
    return distance
  }

  private func layout(
    _ nodes: [NUMANode], _ distances: [NUMADistance], _ machine: MachineDescription
  ) throws(UsageError) -> NUMALayout? {
    guard !nodes.isEmpty else {
      guard distances.isEmpty else { throw UsageError(message: "--numa-distance: there are no nodes; give --numa too") }
      return nil
    }
    guard machine.discovery == .acpi else {
      throw UsageError(message: "--numa: a kernel finds nodes by ACPI, so not with --discovery cmdline")
    }
    do {
      return try NUMALayout(
        nodes, distances, memory: Int(machine.memory >> 20), processors: machine.processors.count)
    } catch {
      throw UsageError(message: "--numa: \(error.words)")
    }
  }

  private mutating func affinity(_ name: String, _ inline: [UInt8]?) throws(UsageError) -> CPUAffinity {
    let value = try value(name, inline)
    guard let affinity = CPUAffinity(value) else {
      throw refusal(name, value, "give CPUs, such as 0-3,6, or some for each vCPU, such as 0=0-1:1=2")
    }
    return affinity
  }

  /// `GUEST=>HOST`, or `HOST` alone, which means the guest's `/`. The first `=>` divides.
  private mutating func map(_ name: String, _ inline: [UInt8]?) throws(UsageError) -> LayerMap {
    try map(name, try value(name, inline))
  }

  /// A map and, behind a colon, `suid`, `dev`, and `rw`, which says nothing. With anything else behind it the colon is the path's.
  private mutating func writeMap(_ name: String, _ inline: [UInt8]?) throws(UsageError) -> LayerMap {
    let value = try value(name, inline)
    guard let colon = value.lastIndex(of: UInt8(ascii: ":")) else { return try map(name, value) }
    var privileges: Privileges = []
    for word in value[(colon + 1)...].split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
      let option = String(printable: Array(word))
      if option == "rw" { continue }
      guard let privilege = Privileges(option: option) else { return try map(name, value) }
      privileges.insert(privilege)
    }
    var map = try map(name, Array(value[..<colon]))
    map.privileges = privileges
    return map
  }

  private mutating func writeLimit(_ name: String, _ inline: [UInt8]?) throws(UsageError) -> WriteLimit {
    let value = try value(name, inline)
    guard let limit = WriteLimit(String(printable: value)) else { throw refusal(name, value, WriteLimit.mend) }
    return limit
  }

  private func map(_ name: String, _ value: [UInt8]) throws(UsageError) -> LayerMap {
    var map = LayerMap(guestPath: "/", hostPath: Path(value))
    if let arrow = value.indices.first(where: { value[$0...].starts(with: "=>".utf8) }) {
      map = LayerMap(guestPath: Path(Array(value[..<arrow])), hostPath: Path(Array(value[(arrow + 2)...])))
    }
    guard map.guestPath.bytes.first == UInt8(ascii: "/"), !map.hostPath.isEmpty else {
      throw refusal(name, value, "give GUEST=>HOST, GUEST an absolute path")
    }
    return map
  }

  /// A map and, behind a colon, options: `ro`, `rw`, `cache=none|auto|always`, `suid`, `dev`, `tag=TAG`, and
  /// `tag=TAG/NAME` for one of several files. Without options the colon is the path's.
  private mutating func share(
    _ name: String, _ inline: [UInt8]?, _ machine: inout MachineDescription
  ) throws(UsageError) {
    let value = try value(name, inline)
    guard let colon = value.lastIndex(of: UInt8(ascii: ":")) else {
      return machine.shares.append(Share(map: try map(name, value)))
    }
    var share = Share(map: try map(name, Array(value[..<colon])))
    var tag: [UInt8]?
    for word in value[(colon + 1)...].split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
      let option = String(printable: Array(word))
      if option == "ro" {
        share.isReadOnly = true
      } else if option.hasPrefix("cache="), let caching = Caching(rawValue: String(option.dropFirst(6))) {
        share.caching = caching
      } else if let privilege = Privileges(option: option) {
        share.map.privileges.insert(privilege)
      } else if option.hasPrefix("tag=") {
        tag = Array(word.dropFirst(4))
      } else if option != "rw" {
        return machine.shares.append(Share(map: try map(name, value)))
      }
    }
    guard var tag else { return machine.shares.append(share) }
    var fileName: [UInt8]?
    if let slash = tag.firstIndex(of: UInt8(ascii: "/")) {
      fileName = Array(tag[(slash + 1)...])
      tag = Array(tag[..<slash])
    }
    guard (1...36).contains(tag.count) else {
      throw refusal(name, tag, "give a tag of 1 to 36 bytes (Virtio 1.2, 5.11.4)")
    }
    let place = machine.sharedDevices.firstIndex { $0.tag == tag }
    if let fileName {
      guard (1...255).contains(fileName.count), !fileName.contains(UInt8(ascii: "/")) else {
        throw refusal(name, value, "give a file's tag a name behind its slash")
      }
      share.map.guestPath = Path([UInt8(ascii: "/")] + fileName)
      if let place, machine.sharedDevices[place].hasFiles {
        return machine.sharedDevices[place].shares.append(share)
      }
    }
    guard machine.sharedDevices.count < MachineDescription.mostSharedDevices else {
      throw refusal(name, value, "no more than \(MachineDescription.mostSharedDevices) shares can have tags")
    }
    guard place == nil else { throw refusal(name, value, "another share has this tag") }
    machine.sharedDevices.append(
      fileName == nil ? SharedDevice(tag: tag, directory: share) : SharedDevice(tag: tag, file: share))
  }

  /// How large the DAX window is.
  private enum Window {
    case off
    case auto
    case bytes(UInt64)

    /// Bytes. By itself as much as RAM: the guest's kernel keeps 16 bytes of RAM for each KiB of the window.
    func size(memory: UInt64) -> UInt64 {
      switch self {
      case .off: 0
      case .auto: (min(memory, 16 << 30) + (2 << 20) - 1) & ~((2 << 20) - 1)
      case .bytes(let count): count
      }
    }
  }

  private mutating func window(_ name: String, _ inline: [UInt8]?) throws(UsageError) -> Window {
    let value = try value(name, inline)
    switch String(printable: value) {
    case "off": return .off
    case "auto": return .auto
    case let text:
      guard let mebibytes = UInt64(text), (2...(64 << 10)).contains(mebibytes), mebibytes % 2 == 0 else {
        throw refusal(name, value, "give off, auto, or an even number of MiB from 2 to 65536")
      }
      return .bytes(mebibytes << 20)
    }
  }

  private mutating func pages(_ name: String, _ inline: [UInt8]?) throws(UsageError) -> MemoryMapping.Pages {
    let value = try value(name, inline)
    switch String(printable: value) {
    case "transparent": return .transparentHuge
    case "hugetlbfs": return .reservedHuge
    case "off": return .small
    default: throw refusal(name, value, "give transparent, hugetlbfs or off")
    }
  }

  /// `GUEST:HOST:COUNT`.
  private mutating func idRange(_ name: String, _ inline: [UInt8]?) throws(UsageError) -> IDRange {
    let value = try value(name, inline)
    guard let range = IDRange(String(printable: value)) else {
      throw refusal(name, value, "give GUEST:HOST:COUNT, such as 0:100000:65536")
    }
    guard geteuid() == 0 else { throw refusal(name, value, "only root can give files away") }
    return range
  }

  private mutating func tag(_ name: String, _ inline: [UInt8]?) throws(UsageError) -> [UInt8] {
    let tag = try value(name, inline)
    guard (1...36).contains(tag.count) else { throw refusal(name, tag, "give 1 to 36 bytes (Virtio 1.2, 5.11.4)") }
    return tag
  }

  /// `PATH` or `PATH,cid=N`.
  private mutating func vsock(
    _ name: String, _ inline: [UInt8]?, _ cid: UInt64
  ) throws(UsageError) -> (Path, UInt64) {
    let value = try value(name, inline)
    guard let comma = value.lastIndex(of: UInt8(ascii: ",")), value[(comma + 1)...].starts(with: "cid=".utf8) else {
      return (Path(value), cid)
    }
    guard let number = UInt32(String(printable: Array(value[(comma + 5)...]))), number > 2, number < .max else {
      throw refusal(name, value, "a guest's cid is from 3 to 4294967294")
    }
    return (Path(Array(value[..<comma])), UInt64(number))
  }

  private mutating func card(_ name: String, _ inline: [UInt8]?) throws(UsageError) -> NetworkCard {
    let value = try value(name, inline)
    do throws(NetworkCardFault) {
      return try NetworkCard(String(printable: value))
    } catch {
      throw refusal(name, value, error.description)
    }
  }

  private mutating func egress(_ name: String, _ inline: [UInt8]?) throws(UsageError) -> EgressDescription {
    let value = try value(name, inline)
    guard let egress = EgressDescription(value) else {
      throw refusal(name, value, "give ADDRESS/LENGTH[,dns=ADDRESS]...[,udp=PORT[-PORT]]...[,closed]")
    }
    return egress
  }

  private func grant(_ allowed: [[UInt8]], _ denied: [[UInt8]], _ machine: inout MachineDescription) throws(UsageError)
  {
    guard machine.egress != nil else {
      guard let first = allowed.first ?? denied.first else { return }
      throw refusal("--allow, --deny", first, "give --egress, too, for the address of the card")
    }
    let streams = machine.cards.filter { card in
      if case .stream = card.link { true } else { false }
    }
    guard streams.count == 1 else {
      throw UsageError(message: "--egress: is for one card by a stream, and there are \(streams.count); give one alone")
    }
    let mend = "give NAME, *.NAME, ADDRESS or ADDRESS/LENGTH, perhaps with :PORT, /tcp or /udp"
    for text in allowed where !machine.egress!.allow(text) { throw refusal("--allow", text, mend) }
    for text in denied where !machine.egress!.deny(text) { throw refusal("--deny", text, mend) }
  }

  private mutating func disk(
    _ name: String, _ inline: [UInt8]?, isMapped: Bool = false
  ) throws(UsageError) -> Disk {
    let value = try value(name, inline)
    do throws(DiskFault) {
      return try Disk(value, isMapped: isMapped)
    } catch {
      throw refusal(name, value, error.description)
    }
  }

  private func check(_ disks: [Disk]) throws(UsageError) {
    guard disks.count <= Disk.limit else {
      throw UsageError(message: "--disk: \(disks.count) disks are more than the \(Disk.limit) that a machine can have")
    }
    if let serial = Disk.repeatedSerial(disks) {
      throw UsageError(
        message: "--disk: two disks have the serial number \(serial); give each its own serial=, or none")
    }
  }

  private func check(_ cards: [NetworkCard]) throws(UsageError) {
    guard cards.count <= NetworkCard.limit else {
      throw UsageError(
        message: "--nic: \(cards.count) cards are more than the \(NetworkCard.limit) that a machine can have")
    }
    if let address = NetworkCard.repeatedAddress(cards) {
      throw UsageError(message: "--nic: two cards have the address \(address); give each its own mac=, or none")
    }
  }

  private mutating func output(_ name: String, _ inline: [UInt8]?) throws(UsageError) -> MachineDescription.Output {
    let value = try value(name, inline)
    if value == Array("-".utf8) { return .standard }
    if value.starts(with: "unix:".utf8) { return .socket(Path(Array(value.dropFirst("unix:".utf8.count)))) }
    return isDescriptor(value) ? .descriptor(try descriptor(name, value)) : .file(Path(value))
  }

  private mutating func kvm(_ name: String, _ inline: [UInt8]?) throws(UsageError) -> MachineDescription.KVMSource {
    let value = try value(name, inline)
    return isDescriptor(value) ? .descriptor(try descriptor(name, value)) : .path(Path(value))
  }

  private mutating func discovery(
    _ name: String, _ inline: [UInt8]?
  ) throws(UsageError) -> MachineDescription.Discovery {
    let value = try value(name, inline)
    switch String(printable: value) {
    case "acpi": return .acpi
    case "cmdline": return .commandLine
    default: throw refusal(name, value, "give acpi or cmdline")
    }
  }

  private mutating func transport(
    _ name: String, _ inline: [UInt8]?
  ) throws(UsageError) -> MachineDescription.Transport {
    let value = try value(name, inline)
    switch String(printable: value) {
    case "mmio": return .mmio
    case "pci": return .pci
    default: throw refusal(name, value, "give mmio or pci")
    }
  }

  /// `NAME=N`, a device and its place.
  private mutating func place(_ name: String, _ inline: [UInt8]?) throws(UsageError) -> (String, Int) {
    let value = try value(name, inline)
    let parts = value.split(separator: UInt8(ascii: "="), omittingEmptySubsequences: false)
    guard parts.count == 2, !parts[0].isEmpty, let place = UInt8(String(printable: Array(parts[1]))) else {
      throw refusal(name, value, "give DEVICE=N, such as disk0=7")
    }
    return (String(printable: Array(parts[0])), Int(place))
  }

  private func isDescriptor(_ value: [UInt8]) -> Bool { value.starts(with: "fd:".utf8) }

  /// `fd:N`, an inherited descriptor.
  private mutating func descriptor(_ name: String, _ inline: [UInt8]?) throws(UsageError) -> Int32 {
    let value = try value(name, inline)
    guard isDescriptor(value), let number = Int32(String(printable: Array(value.dropFirst(3)))), number >= 0 else {
      throw refusal(name, value, "give fd:N, N an open descriptor")
    }
    return number
  }
}
