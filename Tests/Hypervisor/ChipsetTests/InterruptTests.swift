import Testing

@testable import Chipset

@Suite struct InterruptTests {
  @Test func prioritiesAndEnds() {
    var local = LocalInterrupts(id: 0)
    #expect(local.pending == nil)
    local.request(0x31)
    local.request(0x52)
    #expect(local.pending == 0x52)
    local.deliver(0x52)
    // Its class and those below wait.
    local.request(0x5f)
    #expect(local.pending == nil)
    _ = local.write(0x0b, 0)
    #expect(local.pending == 0x5f)
    // The task's priority.
    _ = local.write(0x08, 0x50)
    #expect(local.pending == nil)
    _ = local.write(0x08, 0x40)
    #expect(local.pending == 0x5f)
    // Below 16 there are none.
    var other = LocalInterrupts(id: 1)
    other.request(15)
    #expect(other.pending == nil)
  }

  @Test func deadline() {
    var local = LocalInterrupts(id: 0)
    local.arm(100)
    local.expire(200)
    // Masked, as after a reset.
    #expect(local.pending == nil)
    _ = local.write(0x32, 0x4_00ec)
    local.arm(300)
    local.expire(299)
    #expect(local.pending == nil)
    local.expire(300)
    #expect(local.pending == 0xec)
    #expect(local.deadline == 0)
  }

  @Test func commands() throws {
    var local = LocalInterrupts(id: 0x13)
    func send(_ command: UInt64) -> InterruptCommand? { local.write(0x30, command) }
    #expect(local.read(0x0d) == 0x1_0008)
    let fixed = try #require(send(0x2_0000_00fd))
    #expect(fixed == InterruptCommand(vector: 0xfd, mode: .fixed, destination: .physical(2)))
    #expect(fixed.reaches(2, from: 0x13) && !fixed.reaches(0x13, from: 0x13))
    let others = try #require(send(0xc_00fd))
    #expect(others.reaches(1, from: 0x13) && !others.reaches(0x13, from: 0x13))
    let logical = try #require(send(0x1_0008_0000_0800 | 0x40))
    #expect(logical.reaches(0x13, from: 0) && !logical.reaches(0x12, from: 0) && !logical.reaches(3, from: 0))
    #expect(send(0x1_0000_4500)?.mode == .initialize)
    // Only its level goes down.
    #expect(send(0x1_0000_8500) == nil)
    #expect(
      send(0x1_0000_4699) == InterruptCommand(vector: 0x99, mode: .startup, destination: .physical(1)))
    // SMI, and a mode that is reserved.
    #expect(send(0x200) == nil && send(0x700) == nil)
  }

  @Test func inputs() {
    var inputs = InputInterrupts()
    func set(_ register: UInt32, _ value: UInt32) -> InterruptCommand? {
      _ = inputs.write(register, offset: 0)
      return inputs.write(value, offset: 0x10)
    }
    func raise(_ input: Int) -> InterruptCommand? { inputs.raise(input) }
    func get(_ register: UInt32) -> UInt32 {
      _ = inputs.write(register, offset: 0)
      return inputs.read(offset: 0x10)
    }
    #expect(get(1) == 0x17_0011)
    // Masked after a reset: what comes then waits.
    #expect(get(0x10 + 12) == 0x1_0000)
    #expect(raise(6) == nil)
    #expect(set(0x10 + 13, 0x0200_0000) == nil)
    #expect(set(0x10 + 12, 0x31) == InterruptCommand(vector: 0x31, mode: .fixed, destination: .physical(2)))
    #expect(set(0x10 + 12, 0x31) == nil)
    #expect(raise(6) == InterruptCommand(vector: 0x31, mode: .fixed, destination: .physical(2)))
    // Read-only bits stay as they are.
    #expect(set(0x10 + 12, 0x5031) == nil && get(0x10 + 12) == 0x31)
    // Beyond the last there is none.
    #expect(set(0x10 + 48, 0x31) == nil && get(0x10 + 48) == 0)
    #expect(raise(24) == nil && raise(-1) == nil)
  }
}
