import CKVM

extension VCPU {
  /// The registers as text, a few to a line, for reports of what went wrong. Callable while the vCPU is stopped.
  package func registerDump() -> String {
    do {
      let general = try registers()
      let special = try specialRegisters()
      return lines([
        [("rip", general.rip), ("rflags", general.rflags), ("rsp", general.rsp), ("rbp", general.rbp)],
        [("rax", general.rax), ("rbx", general.rbx), ("rcx", general.rcx), ("rdx", general.rdx)],
        [("rsi", general.rsi), ("rdi", general.rdi), ("r8", general.r8), ("r9", general.r9)],
        [("r10", general.r10), ("r11", general.r11), ("r12", general.r12), ("r13", general.r13)],
        [("r14", general.r14), ("r15", general.r15), ("cs", special.cs.base), ("ss", special.ss.base)],
        [("cr0", special.cr0), ("cr2", special.cr2), ("cr3", special.cr3), ("cr4", special.cr4)],
        [("efer", special.efer), ("gdt", special.gdt.base), ("idt", special.idt.base), ("gs", special.gs.base)],
      ])
    } catch {
      return "  (its registers cannot be read)"
    }
  }

  private func lines(_ rows: [[(name: String, value: UInt64)]]) -> String {
    var text = ""
    for row in rows {
      for (name, value) in row {
        let digits = String(value, radix: 16)
        text += "  " + name + String(repeating: " ", count: 7 - name.utf8.count)
        text += String(repeating: "0", count: 16 - digits.utf8.count) + digits
      }
      text += "\n"
    }
    return text
  }
}
