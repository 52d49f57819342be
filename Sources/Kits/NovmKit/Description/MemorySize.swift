/// An amount of memory as people write it: a number of MiB, or one with a suffix of 1024s: `512`, `512M`, `2G`, `2GiB`.
package struct MemorySize: Equatable, Sendable, CustomStringConvertible {
  package var mebibytes: Int

  package init(mebibytes: Int) { self.mebibytes = mebibytes }

  /// nil for what is not an amount. Parts of a MiB are rounded up.
  package init?(_ text: String) {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    guard let number = UInt64(digits) else { return nil }
    let bytes: (UInt64, Bool)
    switch text.dropFirst(digits.count).lowercased() {
    case "", "m", "mb", "mib": bytes = number.multipliedReportingOverflow(by: 1 << 20)
    case "k", "kb", "kib": bytes = number.multipliedReportingOverflow(by: 1 << 10)
    case "g", "gb", "gib": bytes = number.multipliedReportingOverflow(by: 1 << 30)
    case "t", "tb", "tib": bytes = number.multipliedReportingOverflow(by: 1 << 40)
    default: return nil
    }
    guard !bytes.1 else { return nil }
    self.init(mebibytes: Int(bytes.0 >> 20) + (bytes.0 & 0xf_ffff == 0 ? 0 : 1))
  }

  /// As `--memory` takes it.
  package var argument: String { "\(mebibytes)M" }

  /// What a machine gets unless somebody says (docs/decisions/0039-half-of-the-memory.md): half of this host's memory, up to 4 GiB; and
  /// 512 MiB where the host has so much.
  package static func usual(ofHost mebibytes: Int) -> MemorySize {
    MemorySize(mebibytes: min(4096, max(mebibytes / 2, min(512, mebibytes))))
  }

  /// What a machine gets that takes all of its memory at once.
  package static let modest = MemorySize(mebibytes: 512)

  package var description: String {
    mebibytes >= 1024 && mebibytes % 1024 == 0 ? "\(mebibytes >> 10) GiB" : "\(mebibytes) MiB"
  }
}
