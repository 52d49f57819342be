import CKVM
import Testing

@testable import KVM

/// The registers in words, as they stand in reports of what went wrong.
struct RegisterDumpTests {
  /// Each register with a value of its own.
  private func dump(rip: UInt64 = 0xffff_ffff_8100_0000, codeBase: UInt64 = 0) -> String {
    var general = kvm_regs()
    general.rip = rip
    general.rax = 0xa
    general.r15 = .max
    var special = kvm_sregs()
    special.cs.base = codeBase
    special.cs.selector = 0x10
    special.cs.limit = .max
    special.gs.base = 0x1234
    special.cr2 = 0xdead_beef
    special.cr4 = 0x20
    special.efer = 0xd01
    special.gdt.base = 0xfffe_0000
    special.gdt.limit = 127
    special.idt.limit = 4095
    return RegisterDump(general, special).text
  }

  @Test(arguments: [
    "  rip    ffffffff81000000  ", "  rax    000000000000000a  ", "  r15    ffffffffffffffff",
    "  cr2    00000000deadbeef", "  cr4    0000000000000020", "  efer   0000000000000d01",
    "  cs     0000000000000000  limit ffffffff  selector 0010\n", "  gs     0000000000001234  limit 00000000",
    "  gdt    00000000fffe0000  limit 0000007f\n", "  idt    0000000000000000  limit 00000fff",
  ])
  func showsEachRegister(_ text: String) {
    #expect(dump().contains(text), "\(dump())")
  }

  @Test func everyRegisterIsThere() {
    let names = dump().split(whereSeparator: \.isWhitespace).map(String.init)
    for name in ["rsp", "rbp", "rflags", "rbx", "rcx", "rdx", "rsi", "rdi", "cr0", "cr3", "ss", "ds", "es", "fs", "tr"]
    {
      #expect(names.contains(name))
    }
    for number in 8...15 { #expect(names.contains("r\(number)")) }
  }

  /// AMD's KVM leaves nothing else of a guest that shut down.
  @Test func saysWhenItIsTheStateAfterAReset() {
    #expect(dump(rip: 0xfff0, codeBase: 0xffff_0000).contains("state after a reset"))
    #expect(!dump().contains("state after a reset"))
    #expect(!dump(rip: 0xfff0, codeBase: 0xf_0000).contains("state after a reset"))
  }
}
