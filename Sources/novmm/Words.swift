import Boot
import FileSystem
import Host
import KVM
import Machine

/// What went wrong, in one line that says what to do.
func words(_ error: MachineError) -> String {
  switch error {
  case .kvm(let error): words(error)
  case .boot(let error): "kernel: \(words(error))"
  case .tree(let error): error.description
  case .file(let path, let errno): "\(path): \(errno.description)"
  case .host(let what, let errno): "\(what): \(errno.description)"
  case .memory(let bytes, let errno):
    "the host cannot give \(bytes >> 20) MiB of memory: \(errno.description); ask for less with --memory"
  }
}

private func words(_ error: KVMError) -> String {
  switch error {
  case .open(let path, Errno(2)):
    "\(path): no such device; load the module kvm_intel or kvm_amd, or switch virtualization on in the firmware"
  case .open(let path, Errno(13)):
    "\(path): permission denied; add your user to the group kvm and log in again"
  case .open(let path, let errno): "\(path): \(errno.description)"
  case .version(let version): "KVM speaks version \(version), not 12; this kernel is too old or not Linux's"
  case .missing(let capability): "this host's KVM lacks \(capability); it takes a newer kernel"
  case .request(let name, let errno): "\(name): \(errno.description)"
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
    "a command line of \(length) bytes is longer than the \(limit) that this kernel takes; shorten --cmdline"
  default: "damaged or not for this machine (\(error))"
  }
}
