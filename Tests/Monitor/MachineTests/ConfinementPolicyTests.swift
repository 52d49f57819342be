import Testing

@testable import Confinement
@testable import Machine

struct ConfinementPolicyTests {
  /// Machines with each part, and with all of them.
  private static let machines: [ConfinementPolicy.Parts] = {
    var machines: [ConfinementPolicy.Parts] = []
    for number in 0..<128 {
      var parts = ConfinementPolicy.Parts()
      parts.hasTrees = number & 1 != 0
      parts.hasWritableTrees = number & 2 != 0
      parts.hasWindows = number & 4 != 0
      parts.hasDisks = number & 8 != 0
      parts.hasTaps = number & 16 != 0
      parts.isOnBus = number & 32 != 0
      parts.hasAffinity = number & 64 != 0
      parts.process = 17
      parts.broker = number & 64 != 0 ? 18 : nil
      machines.append(parts)
    }
    return machines
  }()

  @Test func vCPUsMayNothingThatOthersMayNot() {
    for parts in Self.machines {
      let policy = ConfinementPolicy(parts)
      #expect(!policy.all.program.isEmpty)
      for call in policy.vcpus.verdicts.keys { #expect(policy.all.verdicts[call] != nil, "\(call.name)") }
      for call in ["openat2", "sendmsg", "clone", "unlinkat", "accept4", "seccomp"] as [SystemCall] {
        #expect(policy.vcpus.verdicts[call] == nil, "\(call.name)")
      }
    }
  }

  @Test func noMachineHasAUseForThese() {
    for parts in Self.machines {
      let all = ConfinementPolicy(parts).all.verdicts
      for call in [
        "execve", "fork", "ptrace", "socket", "connect", "bind", "open", "io_uring_setup", "mount", "bpf", "kill",
      ]
        as [SystemCall]
      {
        #expect(all[call] == nil, "\(call.name)")
      }
    }
  }

  /// A state is saved by any machine, and its file is empty again where there is no room for it.
  @Test func allCanEmptyAFile() {
    for parts in Self.machines { #expect(ConfinementPolicy(parts).all.verdicts["ftruncate"] != nil) }
    let least = ConfinementPolicy(ConfinementPolicy.Parts())
    #expect(least.all.verdicts["ftruncate"] == .allowedWhere([[.exactly(1, [0])]], otherwise: nil))
    #expect(least.vcpus.verdicts["ftruncate"] == nil)
  }

  @Test func partsBringTheirCalls() {
    var parts = ConfinementPolicy.Parts()
    #expect(ConfinementPolicy(parts).all.verdicts["openat2"] == nil)
    parts.hasTrees = true
    #expect(ConfinementPolicy(parts).all.verdicts["openat2"] != nil)
    #expect(ConfinementPolicy(parts).all.verdicts["unlinkat"] == nil)
    parts.hasWritableTrees = true
    #expect(ConfinementPolicy(parts).all.verdicts["unlinkat"] != nil)
    #expect(ConfinementPolicy(parts).all.verdicts["io_uring_enter"] == nil)
    parts.hasDisks = true
    #expect(ConfinementPolicy(parts).all.verdicts["io_uring_enter"] != nil)
  }
}
