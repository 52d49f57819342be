/// A segment as the descriptor table holds it and as a processor caches it (Intel SDM vol. 3A, 3.4.5 and 3.5).
package struct SegmentDescriptor: Equatable {
  package var selector: UInt16
  package var base: UInt32 = 0
  /// In bytes, as the processor caches it: 0xffff_ffff where granularity is 4 KiB.
  package var limit: UInt32
  /// The four type bits, "accessed" or "busy" set as after loading.
  package var type: UInt8
  /// S: code or data, as against a system segment.
  package var isCodeOrData: Bool
  /// L: 64-bit code.
  package var isLong = false
  /// D/B: 32-bit code or stack.
  package var is32Bit = false
  /// G: the limit counts pages.
  package var isPageGranular = false

  /// The selectors that boot.rst prescribes.
  package static let codeSelector: UInt16 = 0x10
  package static let dataSelector: UInt16 = 0x18
  package static let taskSelector: UInt16 = 0x20

  package static let code64 = Self(
    selector: codeSelector, limit: .max, type: 0xb, isCodeOrData: true, isLong: true, isPageGranular: true)
  package static let code32 = Self(
    selector: codeSelector, limit: .max, type: 0xb, isCodeOrData: true, is32Bit: true, isPageGranular: true)
  package static let data = Self(
    selector: dataSelector, limit: .max, type: 0x3, isCodeOrData: true, is32Bit: true, isPageGranular: true)
  /// A busy 32-bit or 64-bit task state segment: PVH wants base 0 and limit 0x67.
  package static let task = Self(selector: taskSelector, limit: 0x67, type: 0xb, isCodeOrData: false)

  /// The eight bytes in the descriptor table: present, for privilege level 0.
  package var encoded: UInt64 {
    let limit = UInt64(isPageGranular ? limit >> 12 : limit)
    let base = UInt64(base)
    var value = limit & 0xffff | (limit >> 16 & 0xf) << 48
    value |= (base & 0xff_ffff) << 16 | (base >> 24) << 56
    value |= UInt64(type & 0xf) << 40 | (isCodeOrData ? 1 << 44 : 0) | 1 << 47
    value |= (isLong ? 1 << 53 : 0) | (is32Bit ? 1 << 54 : 0) | (isPageGranular ? 1 << 55 : 0)
    return value
  }
}
