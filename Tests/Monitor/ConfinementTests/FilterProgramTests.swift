import CLinux
import Host
import Testing

@testable import Confinement

struct FilterProgramTests {
  /// What the kernel makes of a program (seccomp(2)).
  private func verdict(_ program: [sock_filter], _ number: UInt32, _ arguments: [UInt64] = [], x32: Bool = false)
    -> UInt32
  {
    var data = [UInt32](repeating: 0, count: 16)
    data[0] = number
    data[1] = clinux_ARCHITECTURE
    for (index, argument) in arguments.enumerated() {
      data[4 + 2 * index] = UInt32(truncatingIfNeeded: argument)
      data[5 + 2 * index] = UInt32(truncatingIfNeeded: argument >> 32)
    }
    var accumulator: UInt32 = 0
    var place = 0
    while true {
      let instruction = program[place]
      place += 1
      switch Int(instruction.code) {
      case Int(clinux_LOAD_WORD): accumulator = data[Int(instruction.k) / 4]
      case Int(clinux_AND): accumulator &= instruction.k
      case Int(clinux_JUMP): place += Int(instruction.k)
      case Int(clinux_JUMP_IF_EQUAL): place += Int(accumulator == instruction.k ? instruction.jt : instruction.jf)
      case Int(clinux_JUMP_IF_NOT_BELOW): place += Int(accumulator >= instruction.k ? instruction.jt : instruction.jf)
      case Int(clinux_RETURN): return instruction.k
      default: preconditionFailure("code \(instruction.code)")
      }
    }
  }

  @Test func everyNumberHasTheVerdictOfTheList() {
    for count in [0, 1, 2, 3, 17, 300] {
      var filter = CallFilter()
      // Every third call, and from some on all of them.
      for number in 0..<UInt32(count) { filter.allow(SystemCall(number: number < 200 ? 3 * number : number + 500)) }
      filter.refuse(SystemCall(number: 1), Errno(38))
      let program = filter.program
      for number in 0..<UInt32(1000) {
        let expected =
          switch filter.verdicts[SystemCall(number: number)] {
          case .allowed: clinux_FILTER_ALLOWS
          case .allowedWhere(_, .some(let error)): clinux_FILTER_ERRNO | UInt32(error)
          default: clinux_FILTER_TRAPS
          }
        #expect(verdict(program, number) == expected, "\(number) of \(count)")
      }
      #expect(verdict(program, 0x4000_0000) == clinux_FILTER_TRAPS)
    }
  }

  @Test func argumentsDecide() {
    var filter = CallFilter()
    filter.allow("ioctl", where: .word(1, [10, 20, 30]), .exactly(2, [0x1_0000_0000, 5]))
    filter.allow("ioctl", where: .word(0, [7]), .without(3, 0x8000_0000_0000_0001))
    let program = filter.program
    func passes(_ arguments: UInt64...) -> Bool { verdict(program, 16, arguments) == clinux_FILTER_ALLOWS }
    #expect(passes(0, 10, 5, 1))
    #expect(passes(0, 20, 0x1_0000_0000, 1))
    #expect(passes(0, 30, 5, 1))
    // The upper half is none of the request's.
    #expect(passes(0, 0xffff_ffff_0000_001e, 5, 1))
    #expect(!passes(0, 11, 5, 1))
    #expect(!passes(0, 10, 0, 1))
    #expect(!passes(0, 10, 0x1_0000_0005, 1))
    #expect(!passes(0, 10, 0x2_0000_0000, 1))
    #expect(passes(7, 0, 0, 0))
    #expect(passes(7, 0, 0, 0x7fff_ffff_ffff_fffe))
    #expect(!passes(7, 0, 0, 1))
    #expect(!passes(7, 0, 0, 0x8000_0000_0000_0000))
    #expect(!passes(8, 0, 0, 0))
  }

  @Test func whatIsAllowedStaysSo() {
    var filter = CallFilter()
    filter.allow("ioctl")
    filter.allow("ioctl", where: .word(1, [10]))
    #expect(verdict(filter.program, 16, [0, 11]) == clinux_FILTER_ALLOWS)
  }

  @Test func whatIsNotAllowedCanFail() {
    var filter = CallFilter()
    filter.allow("openat", where: .without(0, 0x8000_0000))
    filter.refuse("openat", Errno(13))
    #expect(verdict(filter.program, 257, [7]) == clinux_FILTER_ALLOWS)
    #expect(verdict(filter.program, 257, [0xffff_ff9c]) == clinux_FILTER_ERRNO | 13)
  }

  /// What programs of Swift have need of is no power over other processes.
  @Test func theRuntimeReadsItsOwnLimits() {
    var filter = CallFilter(otherwise: Errno(1))
    filter.allowRuntime()
    filter.allowDescriptorFlags()
    let program = filter.program
    func passes(_ number: UInt32, _ arguments: UInt64...) -> Bool {
      verdict(program, number, arguments) == clinux_FILTER_ALLOWS
    }
    // prlimit64(process, resource, new, old)
    #expect(passes(302, 0, 7, 0, 0x7fff_0000))
    #expect(!passes(302, 0, 7, 0x7fff_0000, 0))
    #expect(!passes(302, 1, 7, 0, 0x7fff_0000))
    // fcntl: F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC; F_SETLK, F_SETOWN, F_SETSIG, F_SETPIPE_SZ.
    for command in [0, 1, 2, 3, 1030] as [UInt64] { #expect(passes(72, 3, command, 1)) }
    for command in [6, 8, 10, 1031, 37] as [UInt64] { #expect(!passes(72, 3, command, 1)) }
    // F_SETFL: O_NONBLOCK, and O_ASYNC.
    #expect(passes(72, 3, 4, 0o4000))
    #expect(!passes(72, 3, 4, 0o24000))
  }

  @Test func anotherArchitectureTraps() {
    var filter = CallFilter()
    filter.allow("read")
    // The first comparison is of the architecture, and what does not hold it comes to the trap.
    let program = filter.program
    #expect(program[0].k == 4 && program[1].k == 0xc000_003e && program[2].k == clinux_FILTER_TRAPS)
  }
}

struct SystemCallTests {
  @Test(
    arguments: [
      ("read", 0), ("ioctl", 16), ("execve", 59), ("openat", 257), ("rseq", 334), ("pidfd_send_signal", 424),
      ("openat2", 437), ("landlock_restrict_self", 446), ("fchmodat2", 452), ("mseal", 462),
    ] as [(StaticString, UInt32)])
  func namesAreThoseOfLinux(_ name: StaticString, _ number: UInt32) {
    #expect(SystemCall(named: name)?.number == number)
    #expect(SystemCall(number: number).name == "\(name)")
  }

  @Test func whatLinuxDoesNotHave() {
    #expect(SystemCall(named: "reed") == nil)
    #expect(SystemCall(named: "") == nil)
    #expect(SystemCall(number: 400).name == "number 400")
  }
}
