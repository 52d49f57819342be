import Boot
import FileSystem
import Host
import KVM
import Machine
import State

/// What went wrong, in one line that says what to do.
func words(_ error: MachineError, _ description: MachineDescription) -> String {
  switch error {
  case .kvm(let error): words(error)
  case .state(let path, let error): "\(path): \(words(error))"
  case .anotherShape(let path, let difference): "\(path): \(words(difference))"
  case .boot(let error): "kernel \(description.kernel): \(words(error))\(mend(error, description))"
  case .tree(let error): error.description
  case .file(let path, let errno): "\(path): \(errno.description)"
  case .writtenElsewhere(let path):
    "\(path): another machine writes to it; give each a directory of its own, or --share one"
  case .host(let what, let errno): "\(what): \(errno.description)"
  case .noSuchDevice(let name): "--place: the machine has no device \(name); leave it out"
  case .onePlace(let name, let other):
    "--place: \(min(name, other)) and \(max(name, other)) are to have the same place; give each its own"
  case .tooManyDevices(let most, let onBus):
    "a machine has room for \(most) devices; give fewer of --disk, --pmem, --nic and of --share that the host may change"
      + (onBus ? "" : ", or --transport pci, which has room for more")
  case .tap(let name, let errno): words(tap: name, errno)
  case .bridge(let name, let port, let errno): words(bridge: name, port, errno)
  case .interface(let name, Errno(1)):
    "\(name): it is not set up, which takes CAP_NET_ADMIN; have it done by root: ip link set \(name) up"
  case .interface(let name, let errno): "\(name): \(errno.description)"
  case .cardDescriptor(let number, Errno(22)):
    "fd:\(number): not a queue of a tap with IFF_VNET_HDR and IFF_NO_PI"
  case .cardDescriptor(let number, let errno): "fd:\(number): \(errno.description)"
  case .disk(let path, let refusal): words(disk: path, refusal)
  case .unconfined(let missing):
    "--confine require: this host lacks \(missing.joined(separator: " and ")); switch it on, or leave it at --confine auto"
  case .cpuMissing(let cpu): "--cpu-affinity: this process may not run on a CPU \(cpu); see: taskset -cp $$"
  case .vcpuMissing(let vcpu, let count): "--cpu-affinity: there is no vCPU \(vcpu) of \(count); they count from 0"
  case .memoryTooLarge(let bytes, let most):
    "\(bytes >> 20) MiB of memory are more than this host has; give --memory \(most >> 20) or less"
  case .beyondAddresses(let bits):
    "memory, --dax and --pmem reach beyond the 2^\(bits) bytes that this host's processors can address; give less of them"
  case .oddMemory(let bytes):
    "\(bytes >> 20) MiB of memory are no whole number of huge pages; give --memory a multiple of 2"
  case .tooFewHugePages(let needed, let available):
    "\(needed) huge pages are needed, and \(available) of this host's are free; write \(needed) or more to "
      + "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
      + (available > 0 ? ", or give --memory \(2 * available) or less" : "")
  case .memory(let bytes, let errno):
    "the host cannot give \(bytes >> 20) MiB of memory: \(errno.description); ask for less with --memory"
  }
}

private func words(_ error: StateError) -> String {
  switch error {
  case .notAState: "no machine's state, or one that was not written to its end"
  case .version(let major):
    "a state in version \(major) of the format, which this novmm does not read; use that which wrote it"
  case .cutShort, .damaged, .repeated, .tooLarge: "a damaged state; save it anew"
  case .value(let tag, let id):
    "a damaged state, or one of another machine (\(name(tag)), field \(id)); give --restore the options of that machine"
  case .unknownSection(let tag, let instance):
    "the state of a machine with more devices (\(name(tag)) \(instance)); give --restore the options of that machine"
  case .missing(let tag, let instance):
    "the state of a machine with fewer devices (\(name(tag)) \(instance)); give --restore the options of that machine"
  case .unknownField(let tag, let id): "has what this novmm does not know (\(name(tag)), field \(id)); use a newer one"
  case .removedFiles: "files without a name"
  case .cannotSave(let device): "a device of kind \(device), of which there is no state yet"
  }
}

private func name(_ tag: StateTag) -> String { String(decoding: tag.name, as: UTF8.self) }

private func words(_ difference: MachineShape.Difference) -> String {
  switch difference {
  case .memory(let bytes): "the state of a machine with other memory; give --memory \(bytes >> 20)"
  case .processors(let count):
    "the state of a machine with other processors, \(count) of them; give --cpus as it was given to that"
  case .transport: "the state of a machine with the other --transport; give the one that it was given"
  case .discovery: "the state of a machine with the other --discovery; give the one that it was given"
  }
}

func words(_ randomisation: KernelRandomisation) -> String {
  switch randomisation {
  case .placed(let placement):
    "kernel: placed at random, 0x\(String(placement.physical, radix: 16)) bytes behind its physical and "
      + "0x\(String(placement.virtual, radix: 16)) behind its virtual addresses"
  case .byItself: "kernel: a bzImage, which places itself at random where it was built to"
  case .off: "kernel: where it was linked, as asked"
  case .impossible: "kernel: where it was linked, without KASLR: its image has no relocations"
  }
}

/// How to shorten a command line that holds what novm says of network cards, too (docs/architecture.md).
private func mend(_ error: BootError, _ description: MachineDescription) -> String {
  guard case .commandLineTooLong = error else { return "" }
  let cards = description.commandLine.split(separator: UInt8(ascii: " ")).filter { $0.starts(with: "novm.nic=".utf8) }
  if cards.isEmpty { return "; shorten --cmdline" }
  let length = cards.reduce(0) { $0 + $1.count + 1 }
  return ", \(length) of them for --nic; give it fewer of ip=, gateway= and dns=, or shorten --cmdline"
}

private func words(disk path: Path, _ refusal: DiskFile.Refusal) -> String {
  switch refusal {
  case .open(let errno): "\(path): \(errno.description)"
  case .readOnly: "\(path): it can only be read; let the guest only read it too: \(path),ro"
  case .directory: "\(path): a directory, which is no disk; give it to the guest with --share"
  case .noDisk: "\(path): neither a regular file nor a block device"
  case .empty: "\(path): empty, so no disk; give it a size: truncate -s 1G \(path)"
  case .sizeless: "\(path): has no size, as a file of /proc, so no disk; give a copy of it"
  case .size(let size, let block):
    "\(path): \(size) bytes are no whole number of blocks of \(block); give it some more: truncate -s %\(block) \(path)"
  case .inUse:
    "\(path): in use by another machine or mounted, or given twice; a disk is one machine's, unless all have it ,ro"
  case .loop(let name):
    "\(path): in use by the host's /dev/\(name); detach that first: losetup --detach /dev/\(name)"
  case .cached: "\(path): its file system cannot do without the page cache; leave out cache=none"
  }
}

private func words(tap name: String, _ errno: Errno) -> String {
  switch errno {
  case Errno(1):
    """
    \(name): making a tap takes CAP_NET_ADMIN; have it made for you by root: \
    ip tuntap add dev NAME mode tap user $USER && ip link set NAME up; or give novm --net user, which takes no right
    """
  case Errno(2), Errno(19): "/dev/net/tun: \(errno.description); load the module tun"
  case Errno(13): "/dev/net/tun: permission denied; it takes the right to read and write it"
  case Errno(16): "\(name): in use by another program"
  case Errno(22): "\(name): an interface of this name is there and is no tap, or one for another number of queues"
  default: "\(name): \(errno.description)"
  }
}

private func words(bridge: String, _ port: String, _ errno: Errno) -> String {
  switch errno {
  case Errno(1): "\(bridge): making \(port) a port of this bridge takes CAP_NET_ADMIN; have it done by root"
  case Errno(16): "\(port): is a port of another bridge than \(bridge)"
  case Errno(19): "\(bridge): no such bridge; make it: ip link add \(bridge) type bridge && ip link set \(bridge) up"
  case Errno(65): "\(bridge): this host's kernel knows no bridges; load the module bridge"
  case Errno(95): "\(bridge): an interface of this name is there, but it is no bridge"
  default: "\(bridge): \(errno.description)"
  }
}

func words(_ error: KVMError) -> String {
  switch error {
  case .open(let path, Errno(2)):
    "\(path): no such device; load the module kvm_intel or kvm_amd, or switch virtualization on in the firmware"
  case .open(let path, Errno(13)):
    "\(path): permission denied; add your user to the group kvm and log in again"
  case .open(let path, let errno): "\(path): \(errno.description)"
  case .version(let version): "KVM speaks version \(version), not 12; this kernel is too old or not Linux's"
  case .missing(let capability): "this host's KVM lacks \(capability); it takes a newer kernel"
  case .request(let name, let errno): "\(name): \(errno.description)"
  case .processor(let leaf):
    "the state is of a processor that has more than this host's (CPUID leaf 0x\(String(leaf, radix: 16))); restore it on one "
      + "like that"
  case .foreignMSR(let index):
    "the state has a register, or bits of one, that this host's KVM does not know (MSR 0x\(String(index, radix: 16))); restore it on a host "
      + "like that which wrote it"
  case .vCPUs(let asked, let most): "\(asked) vCPUs are more than the \(most) that this host allows; lower --cpus"
  }
}

private func words(_ error: BootError) -> String {
  switch error {
  case .memoryTooSmall(let needed, let size):
    "\(size >> 20) MiB of memory are too few for this kernel; give --memory \(needed >> 20) or more"
  case .memoryTooLarge(let size, let limit):
    "\(size >> 20) MiB of memory are more than a machine can have; give --memory \(limit >> 20) or less"
  case .not64Bit, .wrongMachine: "not a 64-bit x86 kernel; give one built for x86-64"
  case .notELF: "neither a vmlinux (ELF) nor a bzImage"
  case .truncated(let needed, let size): "the file ends after \(size) bytes, where \(needed) are needed; fetch it anew"
  case .commandLineTooLong(let length, let limit):
    "a command line of \(length) bytes is longer than the \(limit) that this kernel takes"
  case .kernelOutsideRAM:
    "a part of it lies where the machine has no RAM: it is no kernel, or needs more --memory"
  case .initramfsDoesNotFit(let size, let limit):
    "an initramfs of \(size) bytes does not fit, \(limit) do; give more --memory"
  case .bootProtocolTooOld, .noUsableEntry: "it cannot be entered in any way that novmm knows; give a newer kernel"
  default: "damaged, or no kernel; fetch it anew"
  }
}
