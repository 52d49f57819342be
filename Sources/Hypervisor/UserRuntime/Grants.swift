import CHypercall
import HypercallABI

/// What the root task gives a monitor, and where: both know these.
package enum Grants {
  /// A page of words that says the rest.
  package static let page: UInt64 = 0xf_0000_0000
  /// Memory: heap, the guest's RAM, and modules at their physical address plus this.
  package static let heap: UInt64 = 0x10_0000_0000
  package static let ram: UInt64 = 0x20_0000_0000
  package static let modules: UInt64 = 0x30_0000_0000

  /// Portals: a line of output (words: bytes, then text), the end (a word: 0 as it should be).
  package static let output: UInt64 = 0x100
  package static let end: UInt64 = 0x101

  package enum Word: Int {
    case heapSize, ramSize, kernel, kernelSize, initramfs, initramfsSize, processor
  }

  /// As the monitor reads it.
  package static func word(_ word: Word) -> UInt64 { h_load(page + UInt64(word.rawValue) * 8) }
}
