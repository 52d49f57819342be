import Boot
import Foundation
import Host
import HostTesting
import Testing

@testable import NovmKit

struct MachineRequestTests {
  let scratch: TemporaryDirectory
  let kernel = KernelFiles(
    name: "k", release: "6.1.0", image: "/k/vmlinux", setup: "/k/setup", initramfs: "/k/initramfs")

  init() throws { scratch = try TemporaryDirectory() }

  private var plenty: HostLimits { HostLimits(memory: MemorySize(mebibytes: 1 << 20)) }

  @Test func composesTheHostWithAScratchDirectory() {
    let machine = MachineRequest().compose(kernel: kernel, scratch: "/scratch")
    #expect(machine.reads == [TreeMap(guest: "/", host: "/")])
    #expect(machine.writes == [TreeMap(guest: "/", host: "/scratch")])
  }

  @Test func aMapForTheRootReplacesTheDefault() {
    var request = MachineRequest()
    request.reads = [TreeMap(guest: "/", host: "/srv")]
    request.writes = [TreeMap(guest: "/", host: "/changes")]
    let machine = request.compose(kernel: kernel, scratch: "/scratch")
    #expect(machine.reads == request.reads)
    #expect(machine.writes == request.writes)
  }

  @Test func othersComeOnTopOfTheDefault() {
    var request = MachineRequest()
    request.reads = [TreeMap(guest: "/data", host: "/srv")]
    request.writes = [TreeMap(guest: "/out", host: "/changes")]
    let machine = request.compose(kernel: kernel, scratch: "/scratch")
    #expect(machine.reads == [TreeMap(guest: "/", host: "/"), TreeMap(guest: "/data", host: "/srv")])
    #expect(machine.writes == [TreeMap(guest: "/", host: "/scratch"), TreeMap(guest: "/out", host: "/changes")])
  }

  @Test func modulesGoWhereTheTreeHasItsLibraries() throws {
    try FileManager.default.createDirectory(atPath: scratch.path + "/usr/lib", withIntermediateDirectories: true)
    #expect(symlink("usr/lib", scratch.path + "/lib") == 0)
    var request = MachineRequest()
    request.reads = [TreeMap(guest: "/", host: scratch.path)]
    var kernel = kernel
    kernel.modules = "/k/modules"
    let machine = request.compose(kernel: kernel, scratch: "/scratch")
    #expect(machine.reads.last == TreeMap(guest: "/usr/lib/modules/6.1.0", host: "/k/modules"))
  }

  @Test func tellsNovmmEverything() {
    var request = MachineRequest()
    request.memory = MemorySize(mebibytes: 300)
    request.processors = ProcessorTopology(cores: 2)
    request.affinity = "0-1"
    request.hostname = "box"
    request.commandLine = Array("nokaslr".utf8)
    let machine = request.compose(kernel: kernel, scratch: "/scratch")
    let arguments = machine.arguments.map { String(decoding: $0, as: UTF8.self) }
    #expect(
      arguments == [
        "--kernel", "/k/vmlinux", "--setup", "/k/setup", "--initramfs", "/k/initramfs", "--cmdline",
        "root=root rootfstype=virtiofs rw hostname=box panic=-1 cryptomgr.notests console=ttyS0 quiet nokaslr",
        "--memory", "300",
        "--cpus", "2", "--cpu-affinity", "0-1",
        "--tag", "root", "--read", "/=>/", "--write", "/=>/scratch", "--balloon",
      ])
  }

  @Test func nodesMakeUpMemoryAndSockets() throws {
    var settings = MachineSettings()
    settings.numa = ["1G,cpus=0-1", "512,cpus=2-3"]
    settings.numaDistance = ["0,1=30"]
    settings.cpus = "4"
    func arguments() throws -> [String] {
      try MachineRequest(settings, directory: [0x2f]).compose(kernel: kernel, scratch: "/scratch").arguments.map {
        String(decoding: $0, as: UTF8.self)
      }
    }
    let asked = [
      "--memory", "1536", "--cpus", "4,sockets=2,cores=2,threads=1", "--numa", "1024,cpus=0-1", "--numa",
      "512,cpus=2-3", "--numa-distance", "0,1=30",
    ]
    #expect(try arguments().ranges(of: asked).count == 1)
    settings.cpus = "4,sockets=1"
    #expect(try arguments().ranges(of: ["--cpus", "4", "--numa"]).count == 1)
    // And so when it is started again.
    let absolute = try settings.absolute([0x2f])
    #expect(absolute.memory == "1536M" && absolute.numa == settings.numa)
    #expect(try absolute.absolute([0x2f]) == absolute)
  }

  /// Ours and then the user's, whether the kernel has all of it or the guest is told the rest later.
  @Test func whatAGuestThatWaitsIsToldIsTheRest() throws {
    var request = MachineRequest()
    request.hostname = "box"
    request.temporaries = [try TemporaryMap(parsing: "/mnt:size=1m")]
    request.commandLine = Array("nokaslr".utf8)
    var machine = request.compose(kernel: kernel, scratch: "/scratch")
    let all = machine.kernelCommandLine.split(separator: UInt8(ascii: " "))
    machine.waits = true
    let first = machine.kernelCommandLine.split(separator: UInt8(ascii: " "))
    let rest = machine.beginningWords
    #expect(first.first.map { String(decoding: $0, as: UTF8.self) } == "novm.wait")
    #expect(Set(all.map(Array.init)) == Set(first.dropFirst().map(Array.init) + rest))
    #expect(first.count - 1 + rest.count == all.count)
  }

  @Test func theTreesOwnInitIsToldItsName() {
    var request = MachineRequest()
    request.hasOwnInit = true
    request.hostname = "box"
    func words() -> [Substring] {
      String(decoding: request.compose(kernel: kernel, scratch: "/s").kernelCommandLine, as: UTF8.self)
        .split(separator: " ")
    }
    // The host's own tree names disks that are not here.
    #expect(Set(words()).isSuperset(of: ["init=/sbin/init", "systemd.hostname=box", "fstab=no"]))
    request.reads = [TreeMap(guest: "/", host: "/srv/debian")]
    #expect(words().contains("init=/sbin/init") && !words().contains("fstab=no"))
    request.commandLine = Array("init=/lib/systemd/systemd".utf8)
    #expect(words().last == "init=/lib/systemd/systemd")
  }

  @Test func aKernelWithoutACPIGetsItsDevicesOnTheCommandLine() {
    var kernel = kernel
    kernel.findsDevicesByACPI = false
    let arguments = MachineRequest().compose(kernel: kernel, scratch: "/scratch").arguments
    #expect(arguments.suffix(2) == [Array("--discovery".utf8), Array("cmdline".utf8)])
  }

  @Test func aBusTakesItsDriversAndNovmmsOption() throws {
    var settings = MachineSettings()
    settings.transport = .pci
    let request = try MachineRequest(settings, directory: [])
    #expect(request.initramfsParts == [.pci, .balloon])
    let arguments = request.compose(kernel: kernel, scratch: "/scratch").arguments
    #expect(arguments.suffix(2) == [Array("--transport".utf8), Array("pci".utf8)])
  }

  @Test func tellsNovmmOfSharesVolumesAndTheRest() {
    var request = MachineRequest()
    request.shares = [TreeShare(TreeMap(guest: "/src", host: "/home/me/src"), isReadOnly: true)]
    request.volumes = [VolumeMap(name: "v", guest: Array("/root".utf8))]
    request.hides = [Array("/etc/shadow".utf8)]
    request.users = [IDRange(guest: 0, host: 100_000, count: 65536)]
    request.groups = [IDRange(guest: 0, host: 100_000, count: 65536)]
    let machine = request.compose(kernel: kernel, scratch: "/scratch", volumes: ["/volumes/v/tree"])
    let arguments = machine.arguments.map { String(decoding: $0, as: UTF8.self) }
    #expect(
      arguments.suffix(15) == [
        "--read", "/=>/", "--write", "/=>/scratch", "--write", "/root=>/volumes/v/tree", "--share",
        "/src=>/home/me/src:ro,cache=auto,tag=share0", "--hide", "/etc/shadow", "--balloon",
        "--uidmap", "0:100000:65536",
        "--gidmap",
        "0:100000:65536",
      ])
  }

  @Test func sharesThatTheHostChangesAreDevices() {
    var request = MachineRequest()
    func share(_ guest: String, _ caching: TreeShare.Caching = .auto) -> TreeShare {
      TreeShare(TreeMap(guest: guest, host: "/srv"), caching: caching)
    }
    request.shares = [
      share("/a"), share("/b", .none), share("/c", .always),
      // Writes are to be refused at once, not when what was held back is sent.
      TreeShare(TreeMap(guest: "/r", host: "/srv"), isReadOnly: true, caching: .always),
      // Another map lies in it.
      share("/d"), share("/d/e"),
      // Its path would come to pieces in a command line.
      share("/f g"), share("/\""), share("/" + String(repeating: "x", count: 200)),
    ]
    request.reads = [TreeMap(guest: "/bc", host: "/srv")]
    let machine = request.compose(kernel: kernel, scratch: "/s")
    #expect(machine.shares.map(\.tag) == ["share0", "share1", nil, "share2", nil, "share3", nil, nil, nil])
    let line = String(decoding: machine.kernelCommandLine, as: UTF8.self)
    #expect(line.contains(" novm.mount=share0:/a novm.mount=share1:/b novm.mount-ro=share2:/r novm.mount=share3:/d/e "))
    request.shares = (0..<12).map { share("/\($0)") }
    #expect(request.compose(kernel: kernel, scratch: "/s").shares.count { $0.tag != nil } == 8)
  }

  @Test func aShareOrAVolumeCanBeTheWholeTree() {
    var request = MachineRequest()
    request.shares = [TreeShare(TreeMap(guest: "/", host: "/srv"))]
    let shared = request.compose(kernel: kernel, scratch: "/scratch")
    #expect(shared.reads.isEmpty && shared.writes.isEmpty)
    request.shares = []
    request.volumes = [VolumeMap(name: "v", guest: Array("/".utf8))]
    let kept = request.compose(kernel: kernel, scratch: "/scratch", volumes: ["/volumes/v/tree"])
    #expect(kept.writes == [TreeMap(guest: "/", host: "/volumes/v/tree")])
    #expect(kept.reads == [TreeMap(guest: "/", host: "/")])
  }

  @Test func freshDirectoriesStayOffWhatIsShared() {
    var request = MachineRequest()
    request.shares = [TreeShare(TreeMap(guest: "/tmp/x", host: "/srv"))]
    let line = request.compose(kernel: kernel, scratch: "/s").kernelCommandLine
    #expect(String(decoding: line, as: UTF8.self).contains("novm.keep=/tmp"))
  }

  @Test(arguments: ["", "etc", "/", "/etc/..", "/a/../b", "//"]) func refusesToHide(_ path: String) {
    var request = MachineRequest()
    request.hides = [Array(path.utf8)]
    #expect(throws: NovmError.hiddenPath(Array(path.utf8))) { try request.validate(host: plenty) }
  }

  @Test func pagesThatAreSetAsideAreNotGivenBack() throws {
    var settings = MachineSettings()
    settings.hugePages = .hugetlbfs
    settings.entropyRate = "64K"
    settings.prefault = true
    let request = try MachineRequest(settings, directory: Array("/".utf8))
    let arguments = request.compose(kernel: kernel, scratch: "/s").arguments.map { String(decoding: $0, as: UTF8.self) }
    #expect(arguments.contains("--prefault") && !arguments.contains("--balloon"))
    #expect(arguments.firstIndex(of: "--entropy-rate").map { arguments[$0 + 1] } == "65536")
    #expect(arguments.firstIndex(of: "--huge-pages").map { arguments[$0 + 1] } == "hugetlbfs")
  }

  @Test func whatItMayTakeIsLimited() throws {
    var settings = MachineSettings()
    settings.memory = "1G"
    settings.cpus = "2"
    settings.writeLimit = "2G,files=1000"
    settings.cgroup = "/sys/fs/cgroup/mine,slack=64M,pids=100"
    let request = try MachineRequest(settings, directory: Array("/".utf8))
    let machine = request.compose(kernel: kernel, scratch: "/s")
    let arguments = machine.arguments.map { String(decoding: $0, as: UTF8.self) }
    #expect(arguments.firstIndex(of: "--write-limit").map { arguments[$0 + 1] } == "2147483648,files=1000")
    // Confined unless told otherwise.
    #expect(!arguments.contains("--confine"))
    let asked = try #require(request.controlGroup)
    #expect(asked.place == .path("/sys/fs/cgroup/mine"))
    #expect(asked.limits(of: machine) == ControlGroup.Limits(memory: 1088 << 20, processors: 3, processes: 100))
    settings.dax = "auto"
    #expect(throws: NovmError.writeLimitWithWindow) { try MachineRequest(settings, directory: Array("/".utf8)) }
  }

  @Test func eachMachineHasAUserOfItsOwn() throws {
    #expect(RunAs("1000") == .identity(user: 1000, group: 1000))
    #expect(RunAs("1000:100") == .identity(user: 1000, group: 100))
    #expect(RunAs("70000-70001") == .range(70000...70001))
    for text in ["", "0", "root", "1000:0", "1-", "2-1", "1:2:3", "0-9", "4294967295"] { #expect(RunAs(text) == nil) }
    let directory = "/tmp/novm-users-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: directory) }
    try #require(mkdir(directory, 0o700) == 0)
    guard geteuid() == 0 else { return }
    let range = RunAs.range(70000...70001)
    let first = try OwnUser(range, in: directory)
    do {
      let second = try OwnUser(range, in: directory)
      #expect([first.user, second.user] == [70000, 70001])
      #expect(throws: NovmError.noUserLeft("70000-70001")) { try OwnUser(range, in: directory) }
      _ = second
    }
    #expect(try OwnUser(range, in: directory).user == 70001)
    _ = first
  }

  @Test(arguments: [
    "", "here", "auto,", "auto,slack", "auto,slack=1", "auto,cpus=0", "/x,memory=1G", "auto,pids=4", "auto,io=0",
  ])
  func whatIsNoControlGroup(_ text: String) { #expect(ControlGroupRequest(text) == nil) }

  @Test func transfersHaveALimit() throws {
    #expect(try #require(ControlGroupRequest("auto,io=20M")).transfers == 20 << 20)
    #expect(try #require(ControlGroupRequest("auto")).transfers == nil)
    let directory = try TemporaryDirectory()
    for (name, size, number) in [("vda", "4096", "254:0"), ("loop0", "0", "7:0"), ("dm-0", "8", "253:0")] {
      let path = "\(directory.path)/\(name)"
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
      try "\(size)\n".write(toFile: "\(path)/size", atomically: false, encoding: .utf8)
      try "\(number)\n".write(toFile: "\(path)/dev", atomically: false, encoding: .utf8)
    }
    #expect(ControlGroup.disks(in: directory.path) == ["253:0", "254:0"])
    #expect(ControlGroup.disks(in: "\(directory.path)/none") == [])
  }

  @Test func theLogIsNotQuiet() {
    var request = MachineRequest()
    request.serialLog = true
    let line = String(
      decoding: request.compose(kernel: kernel, scratch: "/s").kernelCommandLine, as: UTF8.self)
    #expect(line.contains("console=ttyS0"))
    #expect(!line.contains("quiet"))
  }

  @Test func refusesMapsThatTheGuestCannotSee() throws {
    for path in ["/dev", "/proc", "/sys/fs", "/dev/shm"] {
      var request = MachineRequest()
      request.shares = [TreeShare(TreeMap(guest: path, host: "/tmp"))]
      #expect(throws: NovmError.mappedUnseen(Array(path.utf8))) { try request.validate(host: plenty) }
    }
    var request = MachineRequest()
    request.shares = [TreeShare(TreeMap(guest: "/devices", host: "/tmp"))]
    try request.validate(host: plenty)
  }

  @Test func refusesWhatNoMachineCanBe() {
    var request = MachineRequest()
    request.memory = MemorySize(mebibytes: 1)
    #expect(throws: NovmError.memoryTooSmall(request.memory, least: MachineRequest.leastMemory)) {
      try request.validate(host: plenty)
    }
    request.memory = MemorySize(mebibytes: 2048)
    let small = HostLimits(memory: MemorySize(mebibytes: 1024))
    #expect(throws: NovmError.memoryTooLarge(request.memory, most: small.memory)) { try request.validate(host: small) }
  }

  @Test(arguments: ["", "a b", "x=y", "na\u{EF}ve", String(repeating: "a", count: 65)])
  func refusesHostNames(_ name: String) {
    var request = MachineRequest()
    request.hostname = name
    #expect(throws: NovmError.hostname(name)) { try request.validate(host: plenty) }
  }

  @Test func refusesPathsThatAreNoDirectory() throws {
    let file = scratch.path + "/file"
    #expect(FileManager.default.createFile(atPath: file, contents: nil))
    for (path, read, written) in [
      (scratch.path + "/none", HostPathFault.missing, HostPathFault.missing), (file, .fileAtRoot, .fileToWrite),
      (file + "/below", .notADirectory, .notADirectory), ("/dev/null", .notADirectory, .notADirectory),
    ] {
      var request = MachineRequest()
      request.reads = [TreeMap(guest: "/", host: path)]
      #expect(throws: NovmError.hostPath(Array(path.utf8), read)) { try request.validate(host: plenty) }
      request = MachineRequest()
      request.writes = [TreeMap(guest: "/", host: path)]
      #expect(throws: NovmError.hostPath(Array(path.utf8), written)) { try request.validate(host: plenty) }
    }
    var request = MachineRequest()
    request.reads = [TreeMap(guest: "/etc/x", host: file)]
    request.shares = [TreeShare(TreeMap(guest: "/etc/y", host: file))]
    try request.validate(host: plenty)
  }

  @Test func sharedFilesAreOneDevice() throws {
    let (file, link) = (scratch.path + "/file", scratch.path + "/link")
    try FileManager.default.createDirectory(atPath: scratch.path + "/d", withIntermediateDirectories: true)
    for path in [file, scratch.path + "/d/there"] {
      #expect(FileManager.default.createFile(atPath: path, contents: nil))
    }
    #expect(symlink("file", link) == 0)
    var request = MachineRequest()
    func share(_ guest: String, _ host: String, isReadOnly: Bool = false) -> TreeShare {
      TreeShare(TreeMap(guest: guest, host: host), isReadOnly: isReadOnly)
    }
    request.shares = [
      share("/etc/resolv.conf", link), share("/s", scratch.path + "/d"),
      share("/run/secrets/x", file, isReadOnly: true), share("/s/there", file),
      share("/odd name", file),
    ]
    let machine = request.compose(kernel: kernel, scratch: "/scratch")
    // A directory stays a device where the file's place is there.
    #expect(machine.shares.map(\.tag) == ["files/0", "share0", "files/1", "files/2", nil])
    let real = URL(fileURLWithPath: file).resolvingSymlinksInPath().path
    #expect(machine.shares[0].map.host == Array(real.utf8))
    let line = String(decoding: machine.kernelCommandLine, as: UTF8.self)
    #expect(
      line.contains(
        " novm.mount=share0:/s novm.mount=files/0:/etc/resolv.conf novm.mount-ro=files/1:/run/secrets/x "
          + "novm.mount=files/2:/s/there "))
    // Its place is in the tree, or in what is the guest's own.
    #expect(machine.reads.map(\.guest) == ["/", "/etc/resolv.conf"].map { Array($0.utf8) })
    #expect(line.contains(" novm.keep=/etc/resolv.conf "))
    let arguments = machine.arguments.map { String(decoding: $0, as: UTF8.self) }
    #expect(arguments.contains("/etc/resolv.conf=>\(real):rw,cache=auto,tag=files/0"))
  }

  @Test func thisHostHasMemory() {
    #expect(HostLimits.current.memory.mebibytes > 64)
  }

  @Test func aKernelWithASlashIsAPath() {
    #expect(MachineRequest.Kernel(nil) == .newest)
    #expect(MachineRequest.Kernel("6.1.0") == .named("6.1.0"))
    #expect(MachineRequest.Kernel("./k") == .path("./k"))
  }
}
