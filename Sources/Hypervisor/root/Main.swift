import CHypercall
import HypercallABI
import UserRuntime

// The partition manager, as far as it goes: two machines of one monitor, one kernel and one initramfs, each in a protection
// domain of its own. With the word `kill` on its command line it takes everything from the first machine as soon as that
// machine's init speaks.

private let ended: UInt64 = 0x80
private let spoke: UInt64 = 0x81
nonisolated(unsafe) private var failures: UInt64 = 0
private let machines: UInt64 = 2

@c(user_main) func userMain(_ processor: UInt64, _ information: UInt64) {
  let ports = CapabilityRange(.ports, base: 0, order: 16)
  _ = Kernel.delegate(ports, to: ports, bits: 1 << 11, Resources.block)
  guard Kernel.createSemaphore(ended) | Kernel.createSemaphore(spoke) == 0 else { return end(2) }
  for number in 0..<machines where !Domain(number).start() {
    Console.line("root: cannot start machine", number)
    return end(2)
  }
  var left = machines
  if isToKill {
    _ = Kernel.down(spoke)
    Domain(0).end()
    Console.line("root: took everything from machine", 0)
    left -= 1
  }
  for _ in 0..<left { _ = Kernel.down(ended) }
  end(unsafe failures == 0 ? 1 : 2)
}

private func end(_ status: UInt8) {
  h_out8(0xf4, status)
  while true { h_pause() }
}

/// The command line of the first module.
private var isToKill: Bool {
  guard let own = Resources.module(0), own.auxiliary != 0 else { return false }
  let text = Resources.map(UInt64(own.auxiliary) & ~0xfff, 8192) + UInt64(own.auxiliary) & 0xfff
  var word: UInt64 = 0
  for index in UInt64(0)..<256 {
    let byte = h_load((text + index) & ~7) >> ((text + index) & 7 * 8) & 0xff
    guard byte != 0 else { break }
    word = word << 8 | byte
    if word & 0xffff_ffff == 0x6b69_6c6c { return true }
  }
  return false
}

@c(user_portal) func userPortal(_ id: UInt64, _ address: UInt64) {
  guard let block = MessageBlock(address: address) else { return }
  let number = Int(id & 7)
  switch id & 0xf00 {
  case 0x100:
    block[MessageBlock.State.rip] = unsafe entries[number]
    block[MessageBlock.State.rsp] = Root.information
    block[MessageBlock.State.descriptor] = 0xc
    block.counts = 0
  case 0x200:
    output(number, block)
    block.counts = 0
  default:
    if block.word(0) != 0 { unsafe failures += 1 }
    Console.line(block.word(0) == 0 ? "root: switched off: machine" : "root: failed: machine", UInt64(number))
    _ = Kernel.up(ended)
    // It has nothing to go on with.
    while true { _ = Kernel.down(Root.suspendSemaphore) }
  }
}

/// A line of a machine's. One at a time, as machines are on several processors.
private func output(_ number: Int, _ block: MessageBlock) {
  unsafe lock.take()
  Console.put(0x5b)
  Console.write(UInt64(number))
  Console.write("] ")
  var last: UInt64 = 0
  for index in 0..<Int(min(block.word(0), 400)) {
    let byte = block.word(1 + index / 8) >> UInt64(index % 8 * 8) & 0xff
    Console.put(UInt8(byte))
    last = last << 8 | byte
    // "] ini"
    if number == 0, last & 0xff_ffff_ffff == 0x5d_2069_6e69 { _ = Kernel.up(spoke) }
  }
  Console.put(10)
  unsafe lock.give()
}

nonisolated(unsafe) private var lock = SpinLock()

@c(user_thread) func userThread(_ argument: UInt64) {}
