import AgentProtocol
import Testing

@testable import NovmKit

struct MachineEndTests {
  /// Wait statuses as Linux has them (wait(2)).
  @Test(arguments: [
    (0x0000, MachineEnd.Reason.poweredOff), (0x0100, .hostFailure), (0x0200, .usage), (0x0300, .reset),
    (0x0400, .panicked), (0x0500, .tripleFault), (0x0600, .internalError), (0x0700, .forbiddenCall),
    (0x8f00, .signaled(15)),
    (9, .signaled(9)), (0x0900, .unknown(9)),
  ])
  func reason(status: Int, reason: MachineEnd.Reason) {
    #expect(MachineEnd(waitStatus: Int32(status), messages: []).reason == reason)
  }

  @Test func exitStatusesAreDockers() {
    func status(_ kind: Failure.Kind) -> Int32 {
      NovmError.commandFailed(command: [], Failure(kind: kind, message: [])).exitStatus
    }
    #expect(status(.notFound) == 127)
    #expect(status(.notExecutable) == 126)
    #expect(status(.rejected) == 125)
    #expect(NovmError.machineEnded(MachineEnd(reason: .panicked)).exitStatus == 125)
    #expect(NovmError.interrupted(15).exitStatus == 143)
    #expect(Session.End.exited(42).exitStatus == 42)
    #expect(Session.End.signaled(9).exitStatus == 137)
    #expect(Session.End.lost.exitStatus == nil)
  }

  /// What went wrong, rather than the last of the registers.
  @Test func registersAreNotTheMessage() {
    let end = MachineEnd(reason: .internalError, messages: ["asking", "internalError on vCPU 0", "  rip 0", "  idt 0"])
    #expect(end.message.hasPrefix("internalError on vCPU 0; ") && end.message.contains("novm doctor"))
  }

  @Test func aPanicHasTheKernelsWords() {
    let log = ["[    1.0] Kernel panic - not syncing: why", "[    1.1] ---[ end Kernel panic ]---"]
    let end = MachineEnd(reason: .panicked, kernelLog: log)
    #expect(end.message == "the guest's kernel panicked: why")
    #expect(NovmError.machineEnded(end).details == log)
    #expect(NovmError.machineEnded(MachineEnd(reason: .poweredOff, kernelLog: log)).details == [])
  }

  /// Whatever a guest says, it stays one line and moves no cursor.
  @Test func messagesAreOneLine() {
    let failure = Failure(kind: .system, message: Array("bad\n\u{1B}[2Jthing".utf8))
    let message = NovmError.commandFailed(command: Array("x\ny".utf8), failure).message
    #expect(!message.unicodeScalars.contains { $0.value < 0x20 })
    #expect(NovmError.hostPath(Array("/a\nb".utf8), .missing).message.hasPrefix("/a\\x0ab: no such directory"))
  }

  @Test func namesTheCommandOnce() {
    func message(_ command: String, _ detail: String) -> String {
      let failure = Failure(kind: .notExecutable, message: Array(detail.utf8))
      return NovmError.commandFailed(command: Array(command.utf8), failure).message
    }
    #expect(message("/a", "/a: is a directory") == "/a: cannot be run in the machine: is a directory")
    #expect(message("a", "/bin/a: Exec format error") == "a: cannot be run in the machine: /bin/a: Exec format error")
  }
}
