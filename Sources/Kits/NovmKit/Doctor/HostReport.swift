import Glibc
import Host
import KernelBundle
import Store

/// Whether this host can run machines, point by point, with the mend for each.
package struct HostReport: Equatable, Sendable {
  package enum State: String, Sendable {
    case good
    /// Machines run, but not as they could.
    case doubtful
    /// No machine runs before this is mended.
    case bad
  }

  package struct Point: Equatable, Sendable {
    package var name: String
    package var state: State
    package var detail: String
    /// What to do; nil if there is nothing to do.
    package var mend: String?

    package init(_ name: String, _ state: State, _ detail: String, mend: String? = nil) {
      self.name = name
      self.state = state
      self.detail = detail
      self.mend = mend
    }
  }

  /// What the host itself must give: programs, KVM.
  package var host: [Point]
  /// What a user can still make: kernels, directories.
  package var store: [Point]

  package var points: [Point] { host + store }

  /// Whether a machine of a given kernel can run here.
  package var canRun: Bool { host.allSatisfy { $0.state != .bad } }

  package var isHealthy: Bool { points.allSatisfy { $0.state != .bad } }

  /// Looks at this host.
  package init(programs: InstalledPrograms, paths: StorePaths) {
    host = Self.programs(programs)
    let device = KVMDevice.check()
    host.append(device.point)
    if device.isUsable, host.allSatisfy({ $0.state != .bad }) { host += Self.kvm(novmm: programs.novmm) }
    store = [Self.memory(), Self.kernels(paths)]
    store.append(Self.directory("machines", paths.machines, holdsTrees: UserAttributes.areNeeded))
    store.append(Self.directory("sockets", paths.runtime))
  }

  private static func programs(_ programs: InstalledPrograms) -> [Point] {
    [("novmm", programs.novmm), ("noguest", programs.noguest)].map { name, path in
      if unsafe access(path, X_OK) == 0 { return Point(name, .good, path) }
      return Point(
        name, .bad, "\(path): \(Errno.current.description)",
        mend: "install novm completely, or set NOVM_LIBEXEC to the directory that has \(name)")
    }
  }

  private static func kvm(novmm: String) -> [Point] {
    let check: MonitorCheck
    do throws(NovmError) {
      check = try MonitorCheck(novmm: novmm)
    } catch {
      return [Point("KVM", .bad, error.message)]
    }
    return points(of: check)
  }

  /// What a check by novmm means for a user.
  static func points(of check: MonitorCheck) -> [Point] {
    if case .unusable(let why) = check.verdict { return [Point("KVM", .bad, why)] }
    let capabilities =
      check.missing.isEmpty
      ? Point("KVM", .good, "has every capability that novm needs")
      : Point(
        "KVM", .bad, "lacks \(check.missing.joined(separator: ", "))",
        mend: "use a newer kernel on the host; 5.10 and later have them all")
    let time = check.milliseconds.map { " (3 million instructions in \(Int($0.rounded())) ms)" } ?? ""
    let elsewhere =
      "run novm on a host with hardware virtualization, or with nested virtualization switched on; "
      + "in a checkout, scripts/novm emulates one"
    let speed =
      switch check.verdict {
      case .fast: Point("speed", .good, "guests run at the processor's speed\(time)")
      case .slow: Point("speed", .bad, "the host interprets guests instead of running them\(time)", mend: elsewhere)
      case .hangs, .unusable: Point("speed", .bad, "a guest of one loop did not end", mend: elsewhere)
      }
    return [capabilities, speed] + confinement(check)
  }

  /// What keeps a monitor that its guest took over from the rest of the host.
  private static func confinement(_ check: MonitorCheck) -> [Point] {
    guard let landlock = check.landlock else { return [] }
    var missing: [String] = []
    var mends: [String] = []
    if !check.hasCallFilters {
      missing.append("seccomp filters")
      mends.append("use a kernel with CONFIG_SECCOMP_FILTER")
    }
    if landlock < 2 {
      missing.append(landlock == 0 ? "Landlock" : "Landlock of version 2")
      mends.append("use Linux 5.19 or newer, with landlock among the words of /sys/kernel/security/lsm")
    }
    guard !missing.isEmpty else {
      return [Point("confinement", .good, "seccomp, Landlock \(landlock)")]
    }
    return [
      Point(
        "confinement", .doubtful, "monitors run without \(missing.joined(separator: " and "))",
        mend: mends.joined(separator: "; "))
    ]
  }

  private static func memory() -> Point {
    let available = MemorySize(mebibytes: AvailableMemory.mebibytes)
    let usual = MemorySize.usual(ofHost: HostLimits.usableMemory)
    if available.mebibytes >= usual.mebibytes { return Point("memory", .good, "\(available) available") }
    return Point(
      "memory", .doubtful, "only \(available) available", mend: "give machines less than \(usual) with --memory")
  }

  private static func kernels(_ paths: StorePaths) -> Point {
    do throws(KernelBundleError) {
      let newest = try KernelStore(directory: paths.kernels).newest()
      return Point("kernel", .good, "\(newest.name) in \(paths.kernels)")
    } catch {
      if case .noBundles = error {
        return Point("kernel", .bad, "none in \(paths.kernels)", mend: importCommand)
      }
      return Point("kernel", .bad, error.message)
    }
  }

  /// What makes a first kernel: of the running system's if that can be read, which containers do not have.
  private static var importCommand: String {
    if (try? KernelSource.runningSystem.check()) != nil { return "novm kernel import" }
    let isUbuntu = (try? SystemFile.read("/etc/os-release"))?.split(separator: "\n").contains("ID=ubuntu") ?? false
    return "novm kernel import --deb \(isUbuntu ? "linux-image-virtual" : "linux-image-amd64")"
  }

  /// A directory that novm makes where it is missing.
  ///
  /// - Parameter holdsTrees: whether an ordinary user's guests write there.
  static func directory(_ name: String, _ path: String, holdsTrees: Bool = false) -> Point {
    var existing = path
    while unsafe access(existing, F_OK) != 0, let slash = existing.lastIndex(of: "/"), existing != "/" {
      existing = slash == existing.startIndex ? "/" : String(existing[..<slash])
    }
    guard unsafe access(existing, W_OK | X_OK) == 0 else {
      return Point(
        name, .bad, "\(existing): \(Errno.current.description)",
        mend: name == "sockets"
          ? "set XDG_RUNTIME_DIR to a directory of yours" : "set NOVM_ROOT to a directory of yours")
    }
    if holdsTrees, (try? UserAttributes.areKept(in: Path(existing))) == false {
      return Point(
        name, .bad, "\(existing): its file system has no user attributes, which record owners without root",
        mend: "set NOVM_ROOT to a directory on ext4, XFS or Btrfs")
    }
    return Point(name, .good, path)
  }
}

/// Memory that programs can have without others being paged out (proc(5), `MemAvailable`).
private enum AvailableMemory {
  static var mebibytes: Int {
    let lines = (try? SystemFile.read("/proc/meminfo"))?.split(separator: "\n") ?? []
    let line = lines.first { $0.hasPrefix("MemAvailable:") }
    return (line?.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) >> 10
  }
}
