import CMachine
import Firmware

/// The order in which the kernel comes up.
func start(_ boot: BootInformation) -> Never {
  let options = CommandLine.options(boot)
  Console.open(
    serial: options.contains(.serial), screen: options.contains(.vga), log: options.contains(.logmem))
  Console.line("nohv: ABI 10, by \(boot.loader == .multiboot1 ? "multiboot 1" : "multiboot 2")")
  CommandLine.report(boot)
  panic("nohv: no root task: the first module is what the kernel starts")
}
