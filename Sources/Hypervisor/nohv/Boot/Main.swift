import CMachine
import Firmware

@c(kernel_main) func kernelMain(_ magic: UInt32, _ information: UInt32) {
  let memory = LowMemory()
  guard let boot = BootInformation(magic: magic, at: UInt64(information), memory) else {
    panic("nohv: loaded by neither multiboot 1 nor 2: magic \(hex: UInt64(magic))")
  }
  start(boot)
}

@c(kernel_processor) func kernelProcessor(_ number: UInt32) {
  Startup.arrive(number)
}
