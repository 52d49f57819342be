import AgentProtocol
import Boot
import FileSystem
import Glibc
import Host
import Images
import KernelBundle
import Store

extension NovmError {
  /// One line for a person: what is wrong with what, and the mend where there is one.
  package var message: String {
    switch self {
    case .store(let error): error.message
    case .bundle(let error): error.message
    case .busWithoutACPI(let release):
      "--transport pci: kernel \(release) was built without ACPI, by which it would find the bus; use --transport mmio"
    case .pack(let error): error.message
    case .image(let error): error.message
    case .unfitImage(let name, let words): "\(name): \(words)"
    case .publishAllWithoutImage: "--publish-all: for what an image exposes; give --image, or --publish"
    case .changes(let error): error.message
    case .machineDefinition(let path): "\(path): not there, or damaged; remove the machine with `novm rm`"
    case .system(let doing, let path, let errno): "\(path): cannot \(doing): \(errno.description)"
    case .call(let name, let errno): "\(name): \(errno.description)"
    case .treeMap(let bytes, let fault): "'\(Self.text(bytes))': \(fault.message)"
    case .hostPath(let path, let fault): "\(Self.text(path)): \(fault.message)"
    case .mappedTwice(let path):
      "\(Self.text(path)): two of --write, --volume and --share are at this path of the guest's; give one"
    case .mappedUnseen(let path):
      "\(Self.text(path)): would not be seen, for the guest's kernel has /dev, /proc and /sys itself; give another path"
    case .writtenTwice(let path):
      "\(Self.text(path)): given to --write twice; each needs a directory of its own"
    case .volumeTwice(let name): "--volume: \(name) is given twice; it can be at one place of a machine's"
    case .storeWithoutAttributes(let path):
      "\(path): its file system has no user attributes, which record owners and modes without root; "
        + "set NOVM_ROOT to a directory on ext4, XFS or Btrfs"
    case .label(let text): "--label: '\(ByteString.printable(text))' is not KEY=VALUE"
    case .volume(let bytes):
      "--volume: '\(Self.text(bytes))' is neither GUEST nor NAME=>GUEST, the name of up to 64 letters, digits, '.', '_' and '-'"
    case .volumeGuest(let bytes):
      "--volume: '\(Self.text(bytes))': the path in the guest must begin with / and have no ..; such as 'data=>/var/lib/data'"
    case .diskMissing(let option, let path):
      "\(option): \(Self.text(path)): no such file; "
        + (option == "--root-disk"
          ? "make one with: mkfs.ext4 -d DIRECTORY FILE 2G" : "make one with: truncate -s 10G FILE")
    case .packMap(let bytes):
      "--pack: '\(Self.text(bytes))' is not NAME or NAME=>GUEST, such as 'tools=>/opt/tools'; `novm pack ls` shows packs"
    case .hiddenPath(let bytes):
      "--hide: '\(Self.text(bytes))' cannot be hidden; give the absolute path of one name below the guest's /"
    case .idMap(let option, let text):
      "\(option): '\(text)' is not GUEST:HOST:COUNT, such as 0:100000:65536"
    case .idMapWithoutRoot(let option):
      "\(option): only root can give files away; without root, owners are recorded beside the files, and need no map"
    case .memory(let text):
      "--memory: '\(text)' is no amount; give MiB, or a number with K, M, G or T: 512, 512M, 2G"
    case .memoryTooSmall(let size, let least):
      "--memory: \(size) is too little to boot: \(least) is the least, and distributions' kernels need some 80; give 128M"
    case .memoryTooLarge(let size, let most): "--memory: \(size) is more than this host has; give \(most) or less"
    case .processors(let text):
      "--cpus: '\(text)' is not possible; give 1 to \(ProcessorTopology.mostProcessors), or what sockets=, cores= and threads= make up"
    case .node(let text):
      "--numa: '\(ByteString.printable(text))' is no node; give SIZE[,cpus=FIRST-LAST] for each, such as 1G,cpus=0-1"
    case .nodes(let fault): "--numa: \(fault.words)"
    case .distance(let text):
      "--numa-distance: '\(ByteString.printable(text))' is no distance; give NODE,NODE=N, such as 0,1=30, N from 11 to 255"
    case .distanceWithoutNodes: "--numa-distance: there are no nodes; give some with --numa SIZE[,cpus=FIRST-LAST]"
    case .nodesWithoutACPI(let release):
      "--numa: a kernel finds nodes by ACPI, and \(release) is built without; take another kernel, or leave out --numa"
    case .affinity(let text):
      "--cpu-affinity: '\(text)' names no CPUs; give 0-3,6, or some for each processor, such as 0=0-1:1=2"
    case .runAs(let text): "--run-as: '\(text)': \(RunAs.mend)"
    case .runAsUnconfined: "--run-as: not with --confine off; leave out one of them"
    case .runAsWithoutRoot: "--run-as: only root can become another user; without root the monitor is yours"
    case .noUserLeft(let range): "--run-as: each user of \(range) has a machine; give more"
    case .controlGroup(let text): "--cgroup: '\(text)': \(ControlGroupRequest.mend)"
    case .cgroup(let path, let fault): "--cgroup: \(path): \(fault.words)"
    case .writeLimit(let text): "--write-limit: '\(text)' is no limit; \(WriteLimit.mend)"
    case .writeLimitWithWindow:
      "--write-limit: not with --dax, by which the guest writes to memory that nobody counts; leave out one of them"
    case .templateChoice(let text):
      "NOVM_TEMPLATE: '\(ByteString.printable(text))' is none of auto, require and off"
    case .entropyRate(let text): "--entropy-rate: '\(text)' is no rate; \(EntropyRate.mend)"
    case .serial(let text):
      "--com2: '\(text)' names nothing; give a file, or unix: and a socket that somebody listens at"
    case .window(let text): "--dax: '\(text)' is no size of a window; give one such as 1G, or auto, or off"
    case .hostname(let name):
      "--hostname: '\(name)' is no host name; use 1 to 64 letters, digits, hyphens and dots"
    case .card(let text, let fault): "--nic: '\(ByteString.printable(text))': \(fault.description)"
    case .tooManyCards(let count):
      "--nic: \(count) network cards are more than the \(NetworkCard.limit) that a machine can have"
    case .repeatedAddress(let address): "--nic: two cards have mac=\(address); give each one of its own, or none"
    case .disk(let option, let text, let fault): "\(option): '\(Self.text(text))': \(fault.description)"
    case .withoutTree(let option):
      "\(option): goes with a tree, and --root-disk makes a machine without one; give it directories with --share"
    case .shareOnDisk(let path):
      "--share: \(Self.text(path)): on a root disk, a share's path is 2 to 128 printable characters below /"
    case .tooManyShares(let count, let most):
      "--share: \(count) shares are more than the \(most) that a machine with a root disk can have"
    case .tooManyDisks(let count):
      "--disk: \(count) disks are more than the \(Disk.limit) that a machine can have"
    case .repeatedSerial(let serial):
      "--disk: two disks have serial=\(serial); give each one of its own, or none"
    case .repeatedDiskName(let name): "--disk: two disks have dev=\(name); give each one of its own, or none"
    case .grant(let option, let text):
      "\(option): '\(ByteString.printable(text))': give NAME, *.NAME, ADDRESS or ADDRESS/LENGTH, perhaps with :PORT and /tcp or /udp"
    case .grantWithoutNetwork(let option, let text):
      "\(option) \(ByteString.printable(text)): the machine has no user network; give --net user"
    case .published(let text):
      "--publish: '\(ByteString.printable(text))' is not [ADDRESS:]HOST:GUEST[/udp], such as 8080:80; either can be the path of a socket"
    case .publishing(.port(let port, _), Errno(EACCES)) where port < 1024:
      "--publish: port \(port) of this host is root's alone; give one from 1024 on, or lower net.ipv4.ip_unprivileged_port_start"
    case .publishing(let place, let error): "--publish: cannot listen on \(place) of this host: \(error.description)"
    case .volumeOption(let bytes, let option):
      "--volume: '\(Self.text(bytes))': '\(ByteString.printable(option))' is not for a volume, which is written to; leave it out"
    case .mountKey(let text, let key, let type):
      "--mount '\(Self.text(text))': \(key) is for type=\(type) alone; leave it out"
    case .mount(let text, let key?):
      "--mount '\(Self.text(text))': no key '\(ByteString.printable(key))'; \(Self.mountKeys)"
    case .mount(let text, nil): "--mount '\(Self.text(text))': \(Self.mountKeys)"
    case .temporary(let text):
      "--tmpfs '\(ByteString.printable(text))': give an absolute path of the guest's, and perhaps size=, mode=, uid=, gid=, "
        + "nr_inodes= behind a colon: /cache:size=64m,mode=1777"
    case .shmSize(let text):
      "--shm-size: '\(ByteString.printable(text))' is no amount; give MiB, or a number with K, M or G: 256M"
    case .passtMissing:
      "--net user: passt is not installed; on Debian and Ubuntu it is in the package passt: apt install passt"
    case .userNetwork(let words): "--net user: passt: \(words)"
    case .environment(let argument): "--env: '\(argument)' is not NAME=VALUE"
    case .setting(let name, let line, let words):
      (line > 0 ? "line \(line): " : "") + (name.isEmpty ? "" : "\(name): ") + words
    case .noUser: "--user: '' names nobody; give a name or a number, or leave it out for root"
    case .kernelPath(let path, let errno):
      "--kernel: \(path): \(errno.description); "
        + "`novm kernel list` shows the kernels there are, `novm kernel import` makes one"
    case .debugInformation(let path, let fault): "--debug-info: \(path): \(fault.words)"
    case .programMissing(let path):
      "\(path) is missing; install novm completely, or set NOVM_LIBEXEC to the directory that has it"
    case .damagedProgram(let path, let errno): "\(path): cannot be run: \(errno.description)"
    case .machineEnded(let end): end.message
    case .start(_, let message): message
    case .machineGone(let name): "\(name) ended before the command; `novm inspect \(name)` tells how"
    case .notRunning(let name): "\(name) does not run; `novm start \(name)` starts it"
    case .paused(let name): "\(name) is paused; `novm unpause \(name)` lets it go on"
    case .tookTooLong(let what): "\(what): not within the time that was given for it"
    case .agentSilent: "the guest does not answer; --com1 shows its kernel's log"
    case .builtIn(let words): "in the machine: \(words)"
    case .unfitFile(let path): "\(Self.text(path)): its name, or what it links to, is too long to be copied"
    case .refused(let what, let words): "\(what): \(words)"
    case .noTemplate(let why): "--template require: \(why); with auto it boots, and the next such machine finds one"
    case .agentLost: "the guest closed the connection before the command ended; --com1 shows its kernel's log"
    case .agentVersion(let version):
      "the guest's agent speaks version \(version) of the protocol, this novm \(Agent.version); import the kernel again"
    case .guestFailed(let failure):
      "the guest does not come up: \(Self.text(failure.message)); --com1 shows its kernel's log"
    case .excessFiles(.count(let limit)): "the guest sends more than \(limit) files, which is all that is kept of it"
    case .excessFiles(.names(let limit)):
      "the guest sends more than \(limit) bytes of names, which is all that is kept of it"
    case .excessFiles(.size(let limit)): "the guest sends more than \(limit) bytes, which is all that is kept of it"
    case .protocolViolation(let error): "the guest sent what is no answer (\(error)); import the kernel again"
    case .agentRefused: "the guest takes no commands; --com1 shows its kernel's log"
    case .portRefused(let port): "nobody in the machine listens at port \(port) of its vsock"
    case .commandFailed(let command, let failure): Self.message(command, failure)
    case .output(let errno): "the command's output could not be written: \(errno.description)"
    case .interrupted(let signal): "ended by signal \(signal)"
    }
  }

  private static let mountKeys =
    "give type=bind,source=PATH,target=PATH[,readonly], type=volume,source=NAME,target=PATH or type=tmpfs,target=PATH"

  private static func message(_ command: [UInt8], _ failure: Failure) -> String {
    var detail = text(failure.message)
    // Once is enough.
    if failure.kind == .notExecutable, detail.hasPrefix("\(text(command)): ") {
      detail.removeFirst(text(command).count + 2)
    }
    return switch failure.kind {
    case .notFound: "\(text(command)): not found in the machine"
    case .notExecutable: "\(text(command)): cannot be run in the machine" + (detail.isEmpty ? "" : ": \(detail)")
    case .rejected: detail.isEmpty ? "the machine rejects the command" : "in the machine: \(detail)"
    case .system: "the machine: \(detail)"
    case .protocolViolation: "the machine's agent does not understand: \(detail); import the kernel again"
    }
  }

  /// What a guest or a file name says, on one line.
  package static func text(_ bytes: [UInt8]) -> String { String(printable: bytes) }
}

extension TreeMapFault {
  var message: String {
    switch self {
    case .noHostPath: "no host directory; write GUEST=>HOST, or HOST alone for the guest's /"
    case .relativeGuestPath: "the guest's path must begin with /; write GUEST=>HOST, such as /data=>/srv/data"
    case .guestPathClimbs: "the guest's path must not contain .."
    }
  }
}

extension HostPathFault {
  var message: String {
    switch self {
    case .missing: "no such directory on the host; make it, or give one that is there"
    case .asDocker(let host, let guest):
      "no such directory on the host; a map is GUEST=>HOST: "
        + "'\(String(printable: guest))=>\(String(printable: host))', or with Docker's words -v "
        + "'\(String(printable: host)):\(String(printable: guest))'"
    case .noShareOptions:
      "no such directory on the host, and no options of a share: they follow a colon, and are ro, rw, cache=none, "
        + "auto or always, and without the last notify, with commas between them"
    case .notADirectory: "neither a directory nor a regular file, which is all that can be given to a machine"
    case .fileToWrite: "a file; --write takes a directory, --share a file for the guest to write to"
    case .fileAtRoot: "a file; say where the guest is to have it, such as '/etc/app.conf=>app.conf'"
    case .unwritableFile: "permission denied; the guest can write to what you can write to, and read with :ro"
    case .unreadable:
      "permission denied; you must be able to read a file, or read and enter a directory, to give it to a machine"
    case .unwritable: "permission denied; a machine's writes need a directory that you may write to"
    case .systemDirectory:
      "belongs to the host's own devices and kernel; give --write a directory for files, or leave it out"
    case .withoutAttributes:
      "its file system has no user attributes, which record owners and modes without root; "
        + "give --write a directory on ext4, XFS or Btrfs"
    case .other(let errno): errno.description
    }
  }
}

extension NovmError {
  /// What there is to read besides, for those that need more than the message; each is one line.
  package var details: [String] {
    guard case .machineEnded(let end) = self else { return [] }
    switch end.reason {
    case .reset, .panicked, .tripleFault, .internalError: return end.kernelLog
    default: return []
    }
  }
}

extension MachineEnd {
  var message: String {
    switch reason {
    case .poweredOff: "the machine powered off before its command ended"
    case .reset:
      panic.map { "the guest's kernel panicked: \($0)" }
        ?? "the guest rebooted before its command ended, or its kernel panicked; --com1 shows its log"
    case .panicked: "the guest's kernel panicked: \(panic ?? "it does not say why; --com1 shows its log")"
    case .tripleFault: "the guest's processor gave up (triple fault); --com1 shows its kernel's log"
    case .hostFailure: messages.last ?? "novmm failed without a word"
    case .usage: "novmm does not understand this novm: \(messages.first ?? ""); install both from one version"
    case .internalError:
      // Registers follow, indented.
      "\(messages.last { !$0.hasPrefix(" ") } ?? "KVM failed to run the guest"); --com1 shows how far it came, "
        + "`novm doctor` whether this host can run machines"
    case .forbiddenCall:
      "\(messages.last ?? "novmm tried a forbidden system call"): its guest has taken it over, or this is a fault of novm's; "
        + "--confine off lets it go on"
    case .signaled where ranOutOfMemory:
      "the host ended the machine, which took more memory than --cgroup lets it have; give it more by slack="
    case .signaled(let signal): "novmm was ended by signal \(signal)"
    case .unknown(let status): messages.last ?? "novmm ended with status \(status)"
    }
  }
}

extension StoreError {
  package var message: String {
    switch self {
    case .system(let operation, let path, let errno): "\(path): cannot \(operation.rawValue): \(errno.description)"
    case .machineName(let name):
      "'\(String(printable: Array(name.utf8)))' is no name of a machine; use up to 64 letters, digits, '_', '.' and '-'"
    case .nameTaken(let name): "the name \(name) is taken; `novm rm \(name)` removes that machine"
    case .noMachine(let name, let known):
      "no machine '\(String(printable: Array(name.utf8)))'; "
        + (known.isEmpty
          ? "there are none"
          : Suggestion.nearest(to: name, in: known).map { "did you mean \($0)?" }
            ?? "`novm ls --all` shows those that there are")
    case .ambiguous(let beginning, let count): "\(count) machines begin with '\(beginning)'; give more of it"
    case .machineRuns(let name): "\(name) runs; `novm stop \(name)` ends it"
    case .volumeInUse(let name):
      "the volume \(name) is in use by another machine; wait for its end, or give this one a volume of its own"
    case .untrustedRuntime(let path):
      "\(path): belongs to someone else, or others may write to it; remove it, or set XDG_RUNTIME_DIR"
    case .socketPathTooLong(let path):
      "\(path): too long for a socket's name; set XDG_RUNTIME_DIR to a shorter directory"
    }
  }
}

extension DebugInformation.Fault {
  fileprivate var words: String {
    switch self {
    case .notThere(let errno): "\(errno.description); give a vmlinux, a build directory, or one such as /usr/lib/debug"
    case .noKernel(let release):
      "holds no vmlinux of \(release); Debian has it in the package linux-image-\(release)-dbg"
    case .notELF: "is no vmlinux; give the ELF file that has the debugging information"
    case .none: "has no debugging information; build the kernel with CONFIG_DEBUG_INFO_DWARF_TOOLCHAIN_DEFAULT=y"
    case .otherBuild(let other, let booted):
      "is of another build (\(other)) than the kernel that is booted (\(booted)); give that one's"
    }
  }
}
