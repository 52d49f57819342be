import CKVM

extension VCPU {
  /// The registers as text, a few to a line, no newline at the end, for reports of what went wrong. Callable while the vCPU is stopped.
  package func registerDump() -> String {
    do {
      return RegisterDump(try registers(), try specialRegisters()).text
    } catch {
      return "  (its registers cannot be read)"
    }
  }
}

/// A vCPU's registers in words.
struct RegisterDump {
  let text: String

  init(_ general: kvm_regs, _ special: kvm_sregs) {
    var lines: [String] = []
    for row in Self.rows(general, special) {
      lines.append(row.reduce("") { $0 + Self.field($1.name, $1.value) })
    }
    for (name, segment) in Self.segments(special) {
      lines.append(
        Self.field(name, segment.base) + "  limit " + Self.hexadecimal(UInt64(segment.limit), digits: 8)
          + "  selector " + Self.hexadecimal(UInt64(segment.selector), digits: 4))
    }
    for (name, table) in [("gdt", special.gdt), ("idt", special.idt)] {
      lines.append(Self.field(name, table.base) + "  limit " + Self.hexadecimal(UInt64(table.limit), digits: 8))
    }
    if Self.isReset(general, special) {
      lines.append("  (the state after a reset: on AMD, KVM resets a vCPU that shuts down, and where it was is lost)")
    }
    text = lines.joined(separator: "\n")
  }

  private static func rows(_ general: kvm_regs, _ special: kvm_sregs) -> [[(name: String, value: UInt64)]] {
    [
      [("rip", general.rip), ("rflags", general.rflags), ("rsp", general.rsp), ("rbp", general.rbp)],
      [("rax", general.rax), ("rbx", general.rbx), ("rcx", general.rcx), ("rdx", general.rdx)],
      [("rsi", general.rsi), ("rdi", general.rdi), ("r8", general.r8), ("r9", general.r9)],
      [("r10", general.r10), ("r11", general.r11), ("r12", general.r12), ("r13", general.r13)],
      [("r14", general.r14), ("r15", general.r15), ("cr0", special.cr0), ("cr2", special.cr2)],
      [("cr3", special.cr3), ("cr4", special.cr4), ("efer", special.efer), ("apic", special.apic_base)],
    ]
  }

  private static func segments(_ special: kvm_sregs) -> [(name: String, segment: kvm_segment)] {
    [
      ("cs", special.cs), ("ss", special.ss), ("ds", special.ds), ("es", special.es), ("fs", special.fs),
      ("gs", special.gs), ("tr", special.tr), ("ldt", special.ldt),
    ]
  }

  /// Whether the vCPU stands at the reset vector (Intel SDM vol. 3A, 10.1.4), where no guest gets to by itself.
  ///
  /// The state that AMD's processors leave at a shutdown is undefined (APM vol. 2, 15.14.3), so KVM puts the vCPU through
  /// an INIT before it tells of it (`shutdown_interception` of the kernel's svm.c). On Intel the registers are the
  /// guest's.
  private static func isReset(_ general: kvm_regs, _ special: kvm_sregs) -> Bool {
    general.rip == 0xfff0 && special.cs.base == 0xffff_0000
  }

  private static func field(_ name: String, _ value: UInt64) -> String {
    "  " + name + String(repeating: " ", count: 7 - name.utf8.count) + hexadecimal(value, digits: 16)
  }

  private static func hexadecimal(_ value: UInt64, digits: Int) -> String {
    let text = String(value, radix: 16)
    return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
  }
}
