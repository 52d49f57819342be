import Glibc
import Store

/// What a guest's kernel has learnt of the host while it booted, and what a state can depend on: kernel, processor, microcode, KVM.
enum HostFacts {
  static var all: [String] { [kernel, processor] + parameters }

  private static var kernel: String {
    ["osrelease", "version"].map { (try? SystemFile.read("/proc/sys/kernel/\($0)")) ?? "" }.joined()
  }

  /// As /proc/cpuinfo has the first; without what changes from moment to moment.
  private static var processor: String {
    let text = SystemFile.beginning("/proc/cpuinfo")
    return text.split(separator: "\n", omittingEmptySubsequences: false).prefix { !$0.isEmpty }
      .filter { line in !["cpu MHz", "processor", "bogomips"].contains { line.hasPrefix($0) } }
      .joined(separator: "\n")
  }

  private static var parameters: [String] {
    ["kvm", "kvm_amd", "kvm_intel"].flatMap { module in
      let directory = "/sys/module/\(module)/parameters"
      let names = ((try? Directories.names(directory)) ?? []).sorted()
      return names.map { "\(module).\($0)=\((try? SystemFile.read("\(directory)/\($0)")) ?? "")" }
    }
  }
}
