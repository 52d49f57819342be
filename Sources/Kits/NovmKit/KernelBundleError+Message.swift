import Glibc
import Host
import KernelBundle
import Packs

extension KernelBundleError {
  /// One line: the thing that is wrong, and the mend.
  package var message: String {
    switch self {
    case .system(.read, let path, Errno(EACCES)), .input(_, let path, Errno(EACCES)):
      return "\(path): permission denied; run this as a user who may read it, "
        + "or take a packaged kernel: `novm kernel import --deb linux-image-amd64`"
    case .system(let operation, let path, let error):
      return "\(path): cannot \(operation.rawValue): \(error.description)" + Self.mend(operation, error)
    case .input(let input, let path, let error):
      return "\(path): \(error.description); \(input.mend)"
    case .image(let path, let fault):
      return "\(path): \(fault.message)"
    case .notAModuleTree(let path):
      return "\(path): holds no kernel's modules; give a directory such as /lib/modules/RELEASE, with its kernel/"
    case .releaseMismatch(let kernel, let modules, let path):
      return "\(path): built for kernel \(modules), but this kernel is \(kernel); give the modules of \(kernel)"
    case .unknownRelease(let path):
      return "\(path): does not say its release; the file is damaged, or no Linux kernel"
    case .missingSupport(let release, let part):
      return "kernel \(release) has no \(part.rawValue), without which no command can run in a machine; "
        + "use a kernel with \(part.option)=y or =m, such as `novm kernel import --deb linux-image-amd64`"
    case .noDiscovery(let release):
      return "kernel \(release) has neither ACPI nor virtio_mmio.device=, so it finds no device of a machine; "
        + "use a kernel with CONFIG_ACPI=y or CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES=y"
    case .modulesNeeded(let release, let part):
      return "kernel \(release) does not have \(part.rawValue) built in; give its modules' directory with --modules DIR"
    case .missingModule(let release, let name, let neededBy):
      return "the modules of kernel \(release) lack \(name), which \(neededBy) needs; give the whole modules' directory"
    case .noRunningKernel(let path):
      return "\(path): the running kernel's image is not there; "
        + "give another as IMAGE, or import a packaged one: `novm kernel import --deb linux-image-amd64`"
    case .package(let path, let fault):
      return "\(path): \(fault.message)"
    case .noSuchPackage(let name):
      return "no package \(name) to download; run `apt-get update`, or look for one with `apt-cache search linux-image`"
    case .toolMissing(let tool):
      return "\(tool) is not installed; install it, or give a package's file with --deb FILE"
    case .toolFailed(let tool, let status, let message):
      return "\(tool) failed with status \(status)" + (message.isEmpty ? "" : ": \(message)")
    case .invalidName(let name):
      return "\"\(name)\" cannot name a kernel; use letters, digits, and any of . _ - after the first"
    case .noSuchBundle(let name, let store):
      return "no kernel \(name) in \(store); `novm kernel list` shows what there is"
    case .noBundles(let store):
      return "no kernel in \(store); make one with `novm kernel import`, "
        + "or `novm kernel import --deb linux-image-amd64` where the running system's does not do"
    case .badDescription(let path):
      return "\(path): damaged, or written by a newer novm; import the kernel again"
    case .noBuild(let path):
      return
        "\(path): no kernel was built here: there is neither arch/x86/boot/bzImage nor vmlinux; run make, or give the file"
    case .damagedBundle(let path):
      return "\(path): missing or damaged; import the kernel again"
    case .archive(let error):
      return error.message
    case .notOfABundle(let archive, let path):
      return "\(String(printable: archive)): \(String(printable: path)): no part of a kernel bundle; "
        + "nothing of this archive was taken; `novm kernel export` makes such archives"
    case .badArchiveDescription(let archive):
      return "\(String(printable: archive)): its bundle.json is missing or damaged, or of a newer novm; "
        + "nothing of this archive was taken"
    case .cannotRefresh(let path, let error):
      return "\(path): made by another version of novm, and cannot be brought up to date (\(error.description)); "
        + "have its owner run `novm run -- true`, or import the kernel into a store of your own"
    }
  }

  /// What to do when the store, the only thing that novm changes here, cannot be changed.
  private static func mend(_ operation: Operation, _ error: Errno) -> String {
    switch (operation, error) {
    case (.create, _), (.write, _), (.rename, _), (.remove, _), (.lock, _):
      switch error {
      case Errno(EACCES), Errno(EPERM), Errno(EROFS): "; set NOVM_KERNELS to a directory that you may write to"
      case Errno(ENOSPC), Errno(EDQUOT): "; make room, or set NOVM_KERNELS to a directory on another disk"
      default: ""
      }
    default: ""
    }
  }
}

extension KernelInput {
  fileprivate var mend: String {
    switch self {
    case .image: "give a kernel's file, such as /boot/vmlinuz-RELEASE, or a package with --deb"
    case .modules: "give --modules a directory such as /lib/modules/RELEASE"
    case .package: "give a package's file, or a name to download: `novm kernel import --deb linux-image-amd64`"
    }
  }
}

extension ImageFault {
  var message: String {
    switch self {
    case .notAKernel:
      return "not a Linux kernel for x86-64; give a bzImage (vmlinuz) or an ELF vmlinux"
    case .truncated(let needed, let present):
      return "truncated: \(present) bytes of at least \(needed); copy or download it again"
    case .checksum:
      return "damaged: its checksum is wrong; copy or download it again"
    case .thirtyTwoBit:
      return "a 32-bit kernel; novm runs x86-64 kernels only"
    case .otherMachine(let machine):
      return "for another machine (ELF machine \(machine)); novm runs x86-64 kernels only"
    case .oldBootProtocol(let version):
      return "of boot protocol \(version >> 8).\(version & 0xFF), before 2.8; use a kernel from Linux 2.6.26 on"
    case .unknownPayload(let bytes):
      let hexadecimal = bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
      return "compressed in a format that novm does not know (\(hexadecimal)); the file is damaged, or give its vmlinux"
    case .compression(let format, .truncated):
      return "its \(format.rawValue) data ends early; copy or download it again"
    case .compression(let format, .damaged):
      return "its \(format.rawValue) data is damaged; copy or download it again"
    case .compression(let format, .tooLarge(let limit)):
      return "its \(format.rawValue) data holds more than \(limit) bytes; the file is damaged"
    case .compression(let format, .outOfMemory):
      return "not enough memory to decompress its \(format.rawValue) data; free some and try again"
    case .payloadSize(let expected, let actual):
      return "holds a kernel of \(actual) bytes where its header says \(expected); copy or download it again"
    case .badELF(.notExecutable):
      return "an ELF file, but no executable; give the kernel's vmlinux"
    case .badELF(.header), .badELF(.programHeaders):
      return "its ELF headers are damaged; copy or download it again"
    case .badELF(.segment(let index)):
      return "its ELF program header \(index) is damaged; copy or download it again"
    case .badELF(.noLoadableSegment):
      return "has nothing to load; give the kernel's vmlinux, not its debug symbols"
    case .badELF(.entryOutsideSegments):
      return "an ELF file that is not entered where it is loaded, so no kernel; give the kernel's vmlinux"
    case .notAModule:
      return "not a kernel module; the modules' directory is damaged"
    }
  }
}

extension PackageFault {
  var message: String {
    switch self {
    case .notAPackage: "not a Debian package; give a .deb file"
    case .damaged(let reason): "the package is damaged (\(reason)); download it again"
    case .noKernel(let others) where others.isEmpty:
      "holds no kernel; give the package that linux-image-amd64 depends on, or --deb linux-image-amd64 to download it"
    case .noKernel(let others):
      "holds no kernel, but depends on others; give --deb for each of their files: \(others.joined(separator: ", "))"
    }
  }
}
