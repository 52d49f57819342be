import Testing

@testable import Chipset

@Suite struct InstructionTests {
  private func decode(_ bytes: [UInt8], _ mode: Instruction.Mode = .bits64) -> Instruction? {
    var buffer = InlineArray<15, UInt8>(repeating: 0x90)
    for (index, byte) in bytes.prefix(15).enumerated() { buffer[index] = byte }
    return Instruction(buffer, count: bytes.count, mode)
  }

  @Test(
    arguments: [
      // As an assembler has them: bytes, width, whether it writes, the register.
      ([0x89, 0x10], 4, true, 2),  // mov %edx, (%rax)
      ([0x8b, 0x47, 0x70], 4, false, 0),  // mov 0x70(%rdi), %eax
      ([0x8b, 0x87, 0, 1, 0, 0], 4, false, 0),  // mov 0x100(%rdi), %eax
      ([0x8b, 0x04, 0x25, 0x60, 0, 0, 0xd0], 4, false, 0),  // mov 0xd0000060, %eax
      ([0x8b, 0x05, 1, 2, 3, 4], 4, false, 0),  // mov 0x4030201(%rip), %eax
      ([0x44, 0x89, 0x6c, 0x24, 8], 4, true, 13),  // mov %r13d, 8(%rsp)
      ([0x48, 0x89, 0x1c, 0xcd, 0, 0, 0, 0], 8, true, 3),  // mov %rbx, (,%rcx,8)
      ([0x66, 0x89, 0x08], 2, true, 1),  // mov %cx, (%rax)
      ([0x66, 0x41, 0x8b, 0x3c, 0x24], 2, false, 7),  // mov (%r12), %di
      ([0x88, 0x30], 1, true, 2),  // mov %dh, (%rax)
      ([0x40, 0x88, 0x30], 1, true, 6),  // mov %sil, (%rax)
      ([0xc7, 0x40, 0x50, 1, 0, 0, 0], 4, true, 0),  // movl $1, 0x50(%rax)
      ([0xc6, 0x00, 0xff], 1, true, 0),  // movb $0xff, (%rax)
      ([0x0f, 0xb6, 0x17], 1, false, 2),  // movzbl (%rdi), %edx
      ([0x48, 0x0f, 0xbf, 0x06], 2, false, 0),  // movswq (%rsi), %rax
      ([0x4c, 0x63, 0x00], 4, false, 8),  // movslq (%rax), %r8
      ([0xa1, 0, 0, 0xd0, 0, 0, 0, 0, 0], 4, false, 0),  // movabs 0xd00000, %eax
      ([0x65, 0x89, 0x10], 4, true, 2),  // mov %edx, %gs:(%rax)
    ] as [([UInt8], Int, Bool, Int)])
  func moves(_ bytes: [UInt8], _ width: Int, _ isWrite: Bool, _ register: Int) throws {
    let instruction = try #require(decode(bytes))
    #expect(instruction.length == bytes.count)
    #expect(instruction.width == width)
    #expect(instruction.isWrite == isWrite)
    #expect(instruction.register == register)
    // One byte less is none.
    #expect(decode([UInt8](bytes.dropLast())) == nil)
  }

  @Test func codeOfOtherModes() throws {
    // mov 0x10(%bp), %ax; mov %ecx, (%esi); mov 0x1234, %al.
    #expect(decode([0x8b, 0x46, 0x10], .bits16)?.width == 2)
    #expect(decode([0x89, 0x0e], .bits32)?.register == 1)
    #expect(decode([0xa0, 0x34, 0x12], .bits16)?.length == 3)
    // In 32-bit code 0x48 is no prefix.
    #expect(decode([0x48, 0x89, 0x10], .bits32) == nil)
  }

  @Test func whatIsNone() {
    // A register for memory, a string move, LOCK, REP, PUSH, and an extension of MOV that there is not.
    for bytes in [
      [0x89, 0xc0], [0xa5], [0xf0, 0x89, 0x10], [0xf3, 0xa4], [0xff, 0x30], [0xc7, 0x48, 0, 0, 0, 0, 0],
    ] {
      #expect(decode(bytes.map { UInt8($0) }) == nil)
    }
    #expect(decode([UInt8](repeating: 0x66, count: 15)) == nil)
    #expect(decode([]) == nil)
  }

  @Test func values() throws {
    let old: UInt64 = 0x1122_3344_5566_7788
    // Upper halves are zero after 32 bits, and stay after fewer.
    #expect(try #require(decode([0x8b, 0x00])).result(0xffff_ffff_ffff_ffff, old: old) == 0xffff_ffff)
    #expect(try #require(decode([0x66, 0x8b, 0x00])).result(0xabcd, old: old) == 0x1122_3344_5566_abcd)
    #expect(try #require(decode([0x8a, 0x00])).result(0xab, old: old) == 0x1122_3344_5566_77ab)
    #expect(try #require(decode([0x8a, 0x20])).result(0xab, old: old) == 0x1122_3344_5566_ab88)
    #expect(try #require(decode([0x48, 0x0f, 0xbe, 0x00])).result(0x80, old: old) == 0xffff_ffff_ffff_ff80)
    #expect(try #require(decode([0x0f, 0xb7, 0x00])).result(0x1_8000, old: old) == 0x8000)
    #expect(try #require(decode([0x88, 0x20])).written(old) == 0x77)
    #expect(try #require(decode([0x48, 0xc7, 0x00, 0xfe, 0xff, 0xff, 0xff])).written(0) == 0xffff_ffff_ffff_fffe)
    #expect(try #require(decode([0xc6, 0x00, 0xff])).written(0) == 0xff)
  }
}
