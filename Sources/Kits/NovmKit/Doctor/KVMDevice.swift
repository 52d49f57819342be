import CLinux
import Glibc
import Host

/// Whether `/dev/kvm` is there and may be opened.
enum KVMDevice {
  static let path = "/dev/kvm"

  static func check() -> (point: HostReport.Point, isUsable: Bool) {
    let descriptor = unsafe clinux_open(path, O_RDWR | O_CLOEXEC, 0)
    if descriptor >= 0 {
      close(descriptor)
      return (HostReport.Point(path, .good, "can be opened"), true)
    }
    let errno = Errno.current
    let cpu = (try? SystemFile.read("/proc/cpuinfo")) ?? ""
    return (point(errno, processor: Processor(cpuinfo: cpu)), false)
  }

  /// What the processor offers for virtual machines.
  enum Processor: Equatable {
    case intel, amd, none

    /// - Parameter cpuinfo: the text of /proc/cpuinfo.
    init(cpuinfo: String) {
      let flags = cpuinfo.split(separator: "\n").first { $0.hasPrefix("flags") }?.split(separator: " ") ?? []
      self = flags.contains("vmx") ? .intel : flags.contains("svm") ? .amd : .none
    }
  }

  static func point(_ errno: Errno, processor: Processor) -> HostReport.Point {
    switch (errno.code, processor) {
    case (EACCES, _), (EPERM, _):
      HostReport.Point(
        path, .bad, "permission denied", mend: "sudo usermod -aG kvm \"$USER\", then log in again")
    case (ENOENT, .intel), (ENODEV, .intel):
      HostReport.Point(path, .bad, "KVM is not loaded", mend: "sudo modprobe kvm_intel")
    case (ENOENT, .amd), (ENODEV, .amd):
      HostReport.Point(path, .bad, "KVM is not loaded", mend: "sudo modprobe kvm_amd")
    case (ENOENT, .none), (ENODEV, .none):
      HostReport.Point(
        path, .bad, "the processor offers no virtualization",
        mend: "switch VT-x or AMD-V on in the firmware; in a virtual machine, nested virtualization in its host")
    default:
      HostReport.Point(path, .bad, errno.description)
    }
  }
}
