import ArgumentParser
import NovmKit

/// What machine to make; the same for every command that makes one.
struct MachineOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Show a host directory or file to the guest; without GUEST=>, as its /. Repeatable, later ones win.",
      discussion: "Where neither a directory nor a pack is at /, the guest's / is the host's.",
      valueName: "[GUEST=>]HOST"),
    completion: .directory)
  var read: [String] = []

  @Option(
    help: ArgumentHelp(
      "Let the guest's writes land in a host directory. Repeatable.",
      discussion: """
        Without one for /, they land in a directory that is removed at the end. As root, where other users come to HOST, its \
        set-id bits, capabilities and device nodes are the guest's alone; :suid and :dev make them the host's, too.
        """, valueName: "[GUEST=>]HOST[:suid,dev]"),
    completion: .directory)
  var write: [String] = []

  @Option(
    help: ArgumentHelp(
      "The most that the guest's writes may take on the host, for each directory that they land in; perhaps files, too.",
      discussion: """
        SIZE is in bytes, or with K, M, G or T behind it. What is beyond fails for want of room (ENOSPC), and df in the \
        guest shows the limit. Directories of --share and disks are not counted.
        """, valueName: "SIZE[,files=N]"))
  var writeLimit: String?

  @Option(
    help: ArgumentHelp(
      "Give the guest a host directory or file as it is, changes going both ways. Repeatable.",
      discussion: """
        A file is the one that is there at the start; with --confine off also what takes its place, as editors do it. \
        :ro lets the guest only read. :cache=none shows each change of the host's at once, auto (the default) within a \
        second and with each open, always never. With notify, programs in the guest that watch files (inotify) \
        are told what the host changes. suid and dev are as with --write.
        """, valueName: "[GUEST=>]HOST[:ro,cache=none|auto|always,notify,suid,dev]"),
    completion: .directory)
  var share: [String] = []

  @Option(
    name: [.customShort("v", allowingJoined: true), .long],
    help: ArgumentHelp(
      "Keep the guest's writes at a path from machine to machine, under a name. Repeatable.",
      discussion: """
        One machine at a time can use a volume. With GUEST alone it is the machine's, and goes with it. With a path of the \
        host's, as Docker has it, that is shared: HOST:GUEST[:ro].
        """, valueName: "[NAME=>]GUEST"))
  var volume: [String] = []

  @Option(
    help: ArgumentHelp(
      "The same in Docker's words: type=bind, volume or tmpfs, source=, target=, readonly. Repeatable.",
      valueName: "KEY=VALUE[,...]"))
  var mount: [String] = []

  @Option(
    help: ArgumentHelp(
      "Give the guest an empty directory in its memory. Repeatable.",
      discussion: "With size=, mode=, uid=, gid= and nr_inodes= as tmpfs(5) has them.", valueName: "GUEST[:OPTIONS]"))
  var tmpfs: [String] = []

  @Option(
    help: ArgumentHelp("How large the guest's /dev/shm is; half of its memory if not given.", valueName: "size"))
  var shmSize: String?

  @Option(
    help: ArgumentHelp(
      "Make the machine of a container image: its layers are the guest's /, and its command runs unless one is given.",
      valueName: "name"))
  var image: String?

  @Option(
    help: ArgumentHelp(
      "With --image: when to ask its registry. always; missing, if it is not here (the default); never; or newer, always, but what is here will do.",
      valueName: "when"))
  var pull: PullPolicy?

  @Option(help: ArgumentHelp("With --image: what machines are, and nothing else.", valueName: "linux/amd64"))
  var platform: Platform?

  @Option(
    help: ArgumentHelp(
      "Show a pack to the guest, above what --read shows; without =>GUEST, as its /. Repeatable, later ones win.",
      valueName: "NAME[=>GUEST]"),
    completion: .packs)
  var pack: [String] = []

  @Option(
    help: ArgumentHelp("Do not show a path of the read layers to the guest. Repeatable.", valueName: "GUEST"))
  var hide: [String] = []

  @Option(
    help: ArgumentHelp(
      "As root: which users of the host own what the guest's users own. Repeatable.",
      discussion: "Holds for what the guest writes and for shares.", valueName: "GUEST:HOST:COUNT"))
  var uidmap: [String] = []

  @Option(help: ArgumentHelp("The same for groups. Repeatable.", valueName: "GUEST:HOST:COUNT"))
  var gidmap: [String] = []

  @Option(
    name: [.long, .customLong("network")],
    help: ArgumentHelp(
      "Give the guest a network: user, through this user's own sockets, or none.",
      discussion: """
        The guest is 10.0.2.15. With user,loopback it also reaches what listens on the host's loopback, at 10.0.2.2; with \
        user,closed nothing that is not allowed. It takes the package passt.
        """, valueName: "user[,loopback][,closed]|none"))
  var net = NetworkChoice.none

  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp(
      "With --net user: what the machine may reach, and nothing else. Repeatable.",
      discussion: """
        NAME, *.NAME (all below it), ADDRESS or ADDRESS/LENGTH, perhaps with :PORT, and /tcp or /udp behind it. Names hold for as \
        long as their answers do. ech: servers whose names are hidden. --net user,closed is the empty list.
        """, valueName: "GRANT"))
  var allow: [String] = []

  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp(
      "With --net user: what the machine may not reach, whatever is allowed. Repeatable.", valueName: "GRANT"))
  var deny: [String] = []

  @Option(
    name: [.customShort("p", allowingJoined: true), .long],
    help: ArgumentHelp(
      "Lead a port of the host's to one of the guest's. Repeatable.",
      discussion: """
        HOST and GUEST are ports, ranges of them (8000-8003:80-83), or paths of Unix sockets. Without ADDRESS it is the host's \
        loopback, 127.0.0.1 and ::1; 0.0.0.0 is all of IPv4, [::] all there is. It takes no network: without a card what comes \
        reaches the guest's own loopback, with one the card's address.
        """, valueName: "[ADDRESS:]HOST:GUEST[/udp]"))
  var publish: [String] = []

  @Flag(
    name: [.customShort("P"), .long],
    help:
      "With --image: lead a free port of the host's loopback to each port that the image exposes; novm ls shows them.")
  var publishAll = false

  @Option(
    help: ArgumentHelp(
      "Give the guest a network card by a tap of the host's, which is made if it is not there. Repeatable.",
      discussion: """
        tap=NAME, bridge=NAME (whose port the tap becomes), mac=, mtu=, queues=, rate= (bytes in a second, such as 10M), \
        burst=; and for the guest ip=ADDRESS/LENGTH, dhcp (the default) or none, gateway=, dns=. With ip=ADDRESS/LENGTH it sends \
        from that address and mac= alone, unless it has filter=off.
        """, valueName: "KEY=VALUE[,...]"))
  var nic: [String] = []

  @Option(
    help: ArgumentHelp(
      "Give the guest a disk: a file's or a block device's content, as it is. Repeatable.",
      discussion: """
        The guest has them as /dev/vda, vdb and so on. ro (others may have it then too), serial=, dev=NAME (a link /dev/NAME), \
        rate= (bytes in a second, such as 10M), iops=, cache=writeback, none or unsafe. ,, is a comma of FILE's own.
        """, valueName: "FILE[,ro][,KEY=VALUE]..."),
    completion: .file())
  var disk: [String] = []

  @Option(
    help: ArgumentHelp(
      "Boot from a disk with an ext4 file system, in place of a tree; with the same options as --disk.",
      discussion: """
        Such as mkfs.ext4 -d DIRECTORY makes. It is /dev/vda, and keeps what the guest writes. Directories come with --share.
        """, valueName: "FILE[,ro][,KEY=VALUE]..."),
    completion: .file())
  var rootDisk: String?

  @Option(
    help: ArgumentHelp(
      "Give the guest a file as persistent memory, which it maps without a copy (DAX). Repeatable.",
      discussion: """
        The guest has them as /dev/pmem0, pmem1 and so on; mount -o dax goes past its caches. A file or block device of a \
        multiple of 2 MiB; ro lets the guest only read.
        """, valueName: "FILE[,ro]"),
    completion: .file())
  var pmem: [String] = []

  @Option(
    name: [.customShort("m", allowingJoined: true), .long], parsing: .unconditional,
    help: ArgumentHelp(
      "The guest's memory: MiB, or with K, M, G, T; half of the host's, up to 4G, if not given.",
      discussion: """
        The guest takes it as it uses it, and gives back what it has freed. With --prefault and hugetlbfs it is 512M.
        """,
      valueName: "size"))
  var memory: String?

  @Option(
    help: ArgumentHelp(
      "Let the guest map large files of its read layers from the host's page cache.",
      discussion: "The size of the window for it: as much as the guest's memory with auto.",
      valueName: "size|auto|off"))
  var dax = DAXWindow.off

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "The guest's processors.",
      discussion: "With sockets=, cores= (of a socket) and threads= (of a core), how they lie: 8,cores=4,threads=2.",
      valueName: "count"))
  var cpus = "1"

  @Option(
    help: ArgumentHelp(
      "Give the guest a NUMA node of so much memory and these processors. Repeatable.",
      discussion: """
        All nodes together have all of the memory and of the processors: without --memory it is their sum, and without cpus= in any \
        each has as many, in sockets of its own unless --cpus says how they lie. The kernel must have ACPI.
        """, valueName: "SIZE[,cpus=A[-B]]..."))
  var numa: [String] = []

  @Option(
    help: ArgumentHelp(
      "How far one node is from another: 10 is what each is from itself, 20 the default. Repeatable.",
      valueName: "NODE,NODE=N"))
  var numaDistance: [String] = []

  @Option(
    help: ArgumentHelp(
      "Which of the host's CPUs run them: 0-3,6 for all, or 0=0-1:1=2 for each its own.", valueName: "cpus"))
  var cpuAffinity: String?

  @Option(
    help: ArgumentHelp(
      "A kernel's name, or where one was built; the newest if not given.",
      discussion: """
        A path has a slash: a build directory (./linux), with its modules, a bzImage or vmlinux, or a bundle's directory. A build is made \
        ready when it is first booted, and anew when something was built since.
        """, valueName: "name|path"),
    completion: .kernels)
  var kernel: String?

  @Option(
    help: ArgumentHelp(
      "Show the guest's tools the kernel's debugging information: a vmlinux with DWARF, or where there is one.",
      discussion: """
        A build directory, which is at /lib/modules/RELEASE/build then, or one such as /usr/lib/debug. perf, drgn, crash and gdb \
        find it at /usr/lib/debug/boot/vmlinux-RELEASE. auto is where the kernel of --kernel was built, and /usr/lib/debug for others.
        """, valueName: "auto|PATH"),
    completion: .file())
  var debugInfo: String?

  @Option(
    name: [.long, .customLong("append")], parsing: .unconditionalSingleValue,
    help: ArgumentHelp("More for the kernel's command line. Repeatable.", valueName: "words"))
  var cmdline: [String] = []

  @Option(
    help: ArgumentHelp(
      "Whether the kernel lies at an address that nobody can know (KASLR): on, where it can, or off.",
      valueName: "on|off"))
  var kaslr = KASLR.on

  @Option(
    help: ArgumentHelp(
      "Whether the machine begins with the state of a guest that has booted already: auto, where there is one; require; off.",
      discussion: """
        With auto the first machine of a kind boots, and has such a state made for the next ones. Without it NOVM_TEMPLATE \
        says, else it is off. See docs/templates.md.
        """, valueName: "auto|require|off"))
  var template: TemplateChoice?

  @Option(
    name: [.customShort("l", allowingJoined: true), .long], parsing: .unconditionalSingleValue,
    help: ArgumentHelp(
      "Something to find the machine by: novm ls --filter label=KEY. Repeatable.", valueName: "KEY[=VALUE]"))
  var label: [String] = []

  @Option(help: ArgumentHelp("The guest's host name.", valueName: "name"))
  var hostname = "novm"

  @Option(
    help: ArgumentHelp(
      "Which pages of 2 MiB the memory has: transparent, those that the host has to spare; hugetlbfs, those set aside.",
      discussion: "hugetlbfs takes --memory from /sys/kernel/mm/hugepages and gives none back: there is no balloon.",
      valueName: "how"))
  var hugePages = HugePages.transparent

  @Option(
    help: ArgumentHelp(
      "What keeps the machine's monitor to what the machine needs: auto, whatever the host has; require, all of it; off.",
      discussion: "novm doctor tells what the host has of it. See SECURITY.md.", valueName: "auto|require|off"))
  var confine = MonitorConfinement.auto

  @Option(
    help: ArgumentHelp(
      "As root: run the machine's monitor as this user of the host's; FIRST-LAST, as one of these that no other machine has.",
      discussion: "It keeps the capabilities that trees take; a machine of disks alone has none.",
      valueName: "UID[:GID]|FIRST-LAST"))
  var runAs: String?

  @Option(
    help: ArgumentHelp(
      "Hold the machine's monitor to what it needs of the host's memory and processors, by a control group of its own.",
      discussion: """
        auto is below the group that systemd delegated to novm (systemd-run --user --scope -p Delegate=yes novm ...), or for \
        root /sys/fs/cgroup/novm; a directory of a cgroup file system is where to make it instead. It holds the guest's \
        memory and slack (256M), one processor more than the guest has, and 256 threads besides, unless told otherwise; \
        with io, so many bytes a second read from each disk of the host's, and as many written.
        """, valueName: "auto|DIR[,slack=SIZE][,cpus=N][,pids=N][,io=BYTES]"))
  var cgroup: String?

  @Flag(help: "Take all of the memory from the host at once, and keep it: no balloon takes what is free.")
  var prefault = false

  @Flag(help: "Let the guest keep the memory that it has once used: no balloon takes what is free.")
  var noBalloon = false

  @Option(
    help: ArgumentHelp(
      "The most random bytes that the guest gets from the host in a second, perhaps with K, M or G.", valueName: "bytes"
    ))
  var entropyRate: String?

  @Option(
    help: ArgumentHelp(
      "How the guest reaches its devices: mmio, or pci, as functions of a PCI bus.", valueName: "mmio|pci"))
  var transport = DeviceTransport.mmio

  @Flag(
    name: .customLong("init"),
    help: "Run the tree's own init, /sbin/init, such as systemd: it starts services, and ends the machine.")
  var ownInit = false

  @Flag(help: "Show the kernel's log on standard error.")
  var com1 = false

  @Option(
    help: ArgumentHelp(
      "Give the guest a second serial port, ttyS1, that leads to a file of the host's or a Unix socket.",
      discussion: "The file is made or emptied, and takes what the guest writes; something must listen at the socket.",
      valueName: "FILE|unix:PATH"),
    completion: .file())
  var com2: String?

  /// How it is made of its image.
  var imageUse: ImageUse {
    get throws {
      if image == nil, pull != nil || platform != nil {
        throw ValidationError("--pull, --platform: for an image; give --image")
      }
      return ImageUse(publishesAll: publishAll, pull: pull ?? .missing)
    }
  }

  /// As they were given.
  var settings: MachineSettings {
    var settings = MachineSettings()
    settings.read = read
    settings.write = write
    settings.writeLimit = writeLimit
    settings.cgroup = cgroup
    settings.runAs = runAs
    settings.share = share
    settings.volume = volume
    settings.mount = mount
    settings.tmpfs = tmpfs
    settings.shmSize = shmSize
    settings.image = image
    settings.pack = pack
    settings.hide = hide
    settings.uidmap = uidmap
    settings.gidmap = gidmap
    settings.memory = memory
    settings.dax = dax.description
    settings.cpus = cpus
    settings.numa = numa
    settings.numaDistance = numaDistance
    settings.cpuAffinity = cpuAffinity
    settings.kernel = kernel
    settings.debugInfo = debugInfo
    settings.cmdline = cmdline
    settings.hostname = hostname
    settings.`init` = ownInit
    settings.com1 = com1
    settings.com2 = com2
    settings.net = net
    settings.allow = allow
    settings.deny = deny
    settings.publish = publish
    settings.nic = nic
    settings.noBalloon = noBalloon
    settings.transport = transport
    settings.kaslr = kaslr
    settings.template = template
    settings.hugePages = hugePages
    settings.confine = confine
    settings.prefault = prefault
    settings.entropyRate = entropyRate
    settings.disk = disk
    settings.rootDisk = rootDisk
    settings.pmem = pmem
    settings.label = label
    return settings
  }

}

extension MachineSettings {
  /// The machine, for whatever working directory.
  func definition(_ process: CommandSettings?, remove: Bool) throws -> MachineDefinition {
    MachineDefinition(machine: try absolute(Surroundings.workingDirectory), process: process, remove: remove)
  }
}

extension MachineRequest {
  /// What is asked of a machine, checked as far as that is possible without one.
  static func checked(_ settings: MachineSettings) throws -> MachineRequest {
    let request = try MachineRequest(settings, directory: Surroundings.workingDirectory)
    try request.validate(host: .current)
    try request.validateFiles()
    return request
  }
}

extension NetworkChoice: ExpressibleByArgument {}

extension DeviceTransport: ExpressibleByArgument {}
extension HugePages: ExpressibleByArgument {}
extension KASLR: ExpressibleByArgument {}
extension TemplateChoice: ExpressibleByArgument {}
extension MonitorConfinement: ExpressibleByArgument {}

extension DAXWindow: ExpressibleByArgument {
  package init?(argument: String) { self.init(argument) }
  package var defaultValueDescription: String { description }
}
