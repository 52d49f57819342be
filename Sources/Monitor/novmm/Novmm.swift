import Confinement
import Glibc
import Host
import KVM
import Machine

@main
struct Novmm {
  /// Statuses of a machine that never started; the others are `Outcome`'s.
  private static let hostFailure: Int32 = 1
  private static let usageFailure: Int32 = 2

  static func main() {
    var arguments = Arguments(ProcessArguments.words)
    do throws(UsageError) {
      switch try arguments.parse() {
      case .help: print(manual, terminator: "")
      case .version: print("novmm \(version)")
      case .check(let source): exit(check(source))
      case .run(let description, let isVerbose): exit(run(description, isVerbose))
      }
    } catch {
      complain(error.message)
      exit(usageFailure)
    }
  }

  private static func run(_ description: MachineDescription, _ isVerbose: Bool) -> Int32 {
    do throws(MachineError) {
      try description.enterControlGroup()
      let boot = KernelBoot()
      let start: any MachineStart =
        description.state.map { StateRestore($0, isAnother: !description.keepsIdentity) } ?? boot
      let machine = try Machine(description, start, report: complain)
      if isVerbose, description.state == nil { complain(words(boot.randomisation)) }
      let outcome = try machine.run { missing in
        guard isVerbose else { return }
        for what in missing { complain("this host cannot confine the monitor by \(what)") }
      }
      if let report = outcome.report { complain(report) }
      if isVerbose { complain("ended: \(outcome.name)") }
      return outcome.status
    } catch {
      complain(words(error, description))
      return hostFailure
    }
  }

  /// Prints what this host's KVM can do, as `key=value` lines.
  private static func check(_ source: MachineDescription.KVMSource) -> Int32 {
    do throws(KVMError) {
      let system =
        switch source {
        case .path(let path): try KVMSystem(path: path)
        case .descriptor(let number): try KVMSystem(FileDescriptor(owning: number))
        }
      print("api=12")
      let missing = system.missingCapabilities()
      print("missing=\(missing.joined(separator: ","))")
      print("vcpus=\(system.maximumVCPUs)")
      print("landlock=\(Landlock.version)")
      print("seccomp=\(CallFilter.isAvailable ? 1 : 0)")
      let (verdict, nanoseconds) = try LoopProbe.run(system)
      print("loop_us=\(nanoseconds / 1000)")
      print("verdict=\(verdict)")
      return verdict == .ok && missing.isEmpty ? 0 : hostFailure
    } catch {
      print("verdict=no-kvm")
      complain(words(error))
      return hostFailure
    }
  }

  private static func complain(_ message: String) {
    let line = Array("novmm: \(message)\n".utf8)
    _ = unsafe line.withUnsafeBytes { unsafe write(2, $0.baseAddress, $0.count) }
  }
}

let version = "0.1.0"
